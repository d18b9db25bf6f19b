# shellcheck shell=bash
# What bin/run, bin/test and bin/bench share: they say what they do, install what is missing, keep a private PostgreSQL,
# and end what they started.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
script=$(cd "$(dirname "$0")" && pwd -P)/${0##*/}
cd "$root"
home=${GATEHOUSE_HOME:-$root/.gatehouse}
target=${CARGO_TARGET_DIR:-$root/target}
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

say() { printf '==> %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The comment at the top of the script.
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$script"; }

# --- ends ----------------------------------------------------------------------------------------------------------------

child=
cluster=
throw_away=

# Runs a command in a process group of its own and waits, so that a signal to this script ends the whole group at once.
hold() {
  begin "$@"
  local status=0
  wait "$child" || status=$?
  child=
  return "$status"
}

begin() {
  set -m
  "$@" &
  child=$!
  set +m
}

end() {
  if [[ -n $child ]] && kill -TERM -- "-$child" 2>/dev/null; then wait "$child" || true; fi
  child=
}

cleanup() {
  # A second Ctrl-C must not cut this short.
  trap '' INT TERM
  trap - EXIT
  end
  if [[ -n $cluster ]]; then stop_postgres; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- tools ---------------------------------------------------------------------------------------------------------------

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; elif have sudo; then sudo "$@"; else die "to install packages, run me as root or install sudo"; fi
}

# Installs what the machine lacks: a C linker, PostgreSQL, the Rust toolchain, and the commands named as arguments.
install_tools() {
  local wanted=(cc curl postgres) tool
  for tool; do wanted+=("$tool"); done
  install_missing "${wanted[@]}"
  install_rust
}

# Installs those of the commands named as arguments that the machine lacks; `postgres` is PostgreSQL's server.
install_missing() {
  local missing=() tool
  for tool; do
    if [[ $tool == postgres ]]; then postgres_bin >/dev/null || missing+=(postgres)
    else have "$tool" || missing+=("$tool"); fi
  done
  if [[ ${#missing[@]} -gt 0 ]]; then
    say "installing ${missing[*]}"
    if have apt-get; then apt_install "${missing[@]}"
    elif have brew; then brew_install "${missing[@]}"
    else die "please install ${missing[*]}: I know apt-get and brew only"; fi
  fi
}

apt_install() {
  local packages=() tool
  for tool; do
    case $tool in
      cc) packages+=(gcc libc6-dev) ;;
      curl) packages+=(curl ca-certificates) ;;
      python3) packages+=(python3 python3-venv) ;;
      ssh | ssh-keygen) packages+=(openssh-client) ;;
      postgres) packages+=(postgresql) ;;
      *) packages+=("$tool") ;;
    esac
  done
  apt_get update
  # The package would set up a cluster and a service of its own, which nothing here uses.
  local conf=/etc/postgresql-common/createcluster.conf
  if [[ " ${packages[*]} " == *" postgresql "* ]]; then
    apt_get install --no-install-recommends postgresql-common
    as_root sed -i.gatehouse 's/^#\?create_main_cluster.*/create_main_cluster = false/' "$conf"
  fi
  apt_get install --no-install-recommends "${packages[@]}"
  if [[ -f $conf.gatehouse ]]; then as_root mv "$conf.gatehouse" "$conf"; fi
}

# apt-get, which says nothing unless it fails.
apt_get() {
  local said
  said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 "$@" 2>&1 </dev/null) ||
    { printf '%s\n' "$said" >&2; die "apt-get $* failed"; }
}

brew_install() {
  local tool
  for tool; do
    case $tool in
      cc) xcode-select --install || true; die "run me again once the command line tools are installed" ;;
      postgres) brew install postgresql@17 ;;
      *) brew install "$tool" ;;
    esac
  done
}

# Installs the Python packages that a file of requirements pins into a folder of their own, unless they are there.
install_python() {
  local folder=$1 requirements=$2 installed
  installed=$folder/requirements.txt
  if cmp -s "$requirements" "$installed"; then return; fi
  say "installing what $requirements names"
  rm -rf "$folder"
  # Debian's python3 comes without the module that makes such folders.
  if ! python3 -m venv "$folder" >/dev/null 2>&1; then
    rm -rf "$folder"
    if have apt-get; then apt_get update; apt_get install --no-install-recommends python3-venv; fi
    python3 -m venv "$folder"
  fi
  "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" ||
    die "pip could not install what $requirements names"
  cp "$requirements" "$installed"
}

# Installs the npm packages that a folder's package-lock.json pins into a folder of their own, unless they are there.
install_node() {
  local folder=$1 locked=$2/package-lock.json
  if cmp -s "$locked" "$folder/installed.json"; then return; fi
  say "installing what $locked names"
  install_missing npm
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$2/package.json" "$locked" "$folder/"
  npm ci --silent --no-audit --no-fund --prefix "$folder" >&2 || die "npm could not install what $locked names"
  cp "$locked" "$folder/installed.json"
}

# Cargo, no older than rust-version in Cargo.toml.
install_rust() {
  local wanted has
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  has=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
  if [[ -n $has && $(printf '%s\n' "$wanted" "${has%%-*}" | sort -V | head -n 1) == "$wanted" ]]; then return; fi
  say "installing Rust $wanted${has:+ ($has is too old)}"
  local complete=(--profile minimal --component clippy --component rustfmt)
  if ! have rustup; then
    curl --proto '=https' --tlsv1.2 -sSf https://static.rust-lang.org/rustup/rustup-init.sh |
      sh -s -- -y -q --no-modify-path --default-toolchain "$wanted" "${complete[@]}" >/dev/null
  elif ! rustup run "$wanted" cargo --version >/dev/null 2>&1; then
    rustup -q toolchain install "$wanted" "${complete[@]}" --no-self-update
  fi
  export RUSTUP_TOOLCHAIN=$wanted
}

# Puts promtool, which checks alerts, into the PATH where it can be had. Debian's package would start a service: it is
# unpacked and not installed.
install_promtool() {
  local folder=$home/prometheus
  if have promtool; then return; fi
  if [[ ! -x $folder/usr/bin/promtool ]]; then
    if have apt-get; then
      say "unpacking promtool"
      mkdir -p "$folder"
      (
        cd "$folder"
        apt-get -qq download prometheus 2>/dev/null || { apt_get update && apt-get -qq download prometheus; }
        dpkg -x prometheus_*.deb . && rm prometheus_*.deb
      ) || say "promtool cannot be had: the alerts are not checked"
    elif have brew; then brew_install prometheus
    fi
  fi
  PATH=$folder/usr/bin:$PATH
}

# The tests that clients of the REST API have of themselves: python-gitlab's, out of its source archive, and client-go's,
# built where there is Go.
install_suites() {
  local folder=$1 release requirements=tests/suites/requirements.txt
  install_python "$folder/python" "$requirements"
  release=$(sed -n 's/^python-gitlab==//p' "$requirements")
  if [[ ! -e $folder/python-gitlab-$release ]]; then
    say "unpacking the tests of python-gitlab $release"
    rm -rf "$folder"/python-gitlab*
    "$folder/python/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest "$folder" \
      "python-gitlab==$release" >&2 || die "pip could not download python-gitlab $release"
    tar -xzf "$folder/python_gitlab-$release.tar.gz" -C "$folder"
    rm "$folder/python_gitlab-$release.tar.gz"
    mv "$folder/python_gitlab-$release" "$folder/python-gitlab"
    touch "$folder/python-gitlab-$release"
  fi
  install_client_go "$folder"
}

# The tests of client-go as a program. Its module says how new Go must be: from 1.21 on, Go fetches a newer one by itself.
install_client_go() {
  local folder=$1 module=gitlab.com/gitlab-org/api/client-go/v2 release source
  release=$(sed -n 's/^# release //p' tests/suites/client-go.txt)
  if [[ -e $folder/client-go-$release ]]; then return; fi
  if ! have go && have apt-get; then
    { apt_get update && apt_get install --no-install-recommends golang-go; } || true
  fi
  if ! have go || ! GOTOOLCHAIN=auto go version 2>/dev/null | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])'; then
    say "the tests of client-go are left out: they need Go 1.21 or later"
    return
  fi
  say "building the tests of client-go $release"
  rm -rf "$folder"/client-go*
  (
    export GOTOOLCHAIN=auto GOFLAGS='-mod=mod -modcacherw' GOPATH=$folder/go
    source=$(cd "$folder" && go mod download -json "$module@$release" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') &&
      cd "$source" && go test -c -tags integration -o "$folder/client-go.test" ./gitlab_test/
  ) >&2 || { say "the tests of client-go are left out: they cannot be built"; return; }
  touch "$folder/client-go-$release"
}

# --- PostgreSQL ----------------------------------------------------------------------------------------------------------

# The folder of the newest PostgreSQL server that is installed.
postgres_bin() {
  local folder found
  found=$(for folder in /usr/lib/postgresql/*/bin /{opt/homebrew,usr/local}/opt/postgresql@*/bin; do
    if [[ -x $folder/initdb ]]; then printf '%s\n' "$folder"; fi
  done | sort -V | tail -n 1)
  [[ -n $found ]] || found=$(dirname "$(command -v initdb)") || return 1
  [[ -x $found/initdb ]] && printf %s "$found"
}

# PostgreSQL refuses root: there it runs as the user whom its package made.
as_postgres() {
  if [[ $EUID -eq 0 ]]; then (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); else "$@"; fi
}

# Starts the private cluster in a folder, made at first use, with settings given as NAME=VALUE, and leaves `cluster`.
# It listens on a Unix socket in its own folder, which only its owner (and root) can enter.
start_postgres() {
  cluster=$(reachable "$1")
  shift
  local bin settings pid log=$cluster/server.log locale=C.UTF-8
  bin=$(postgres_bin)
  if [[ ! -f $cluster/PG_VERSION ]]; then
    say "making a PostgreSQL cluster in $cluster"
    # Older macOS lacks the locale.
    if [[ $(uname) == Darwin ]] && ! locale -a | grep -qx "$locale"; then locale=en_US.UTF-8; fi
    as_postgres "$bin/initdb" -D "$cluster" -U postgres -A trust -E UTF8 --locale="$locale" >/dev/null
  elif [[ $("$bin/postgres" --version) != *" $(cat "$cluster/PG_VERSION")."* ]]; then
    die "$cluster is of PostgreSQL $(cat "$cluster/PG_VERSION"), and $bin is of another: remove the folder to start anew"
  fi
  # One that a killed run left behind: stopped where it lives, forgotten where its number is another process by now.
  pid=$(head -n 1 "$cluster/postmaster.pid" 2>/dev/null) || true
  if [[ -n $pid ]]; then
    if [[ $(process_name "$pid") == *postgres ]]; then stop_postgres; else rm -f "$cluster/postmaster.pid"; fi
  fi
  settings="-c listen_addresses='' -c unix_socket_directories=$cluster$(printf ' -c %s' "$@")"
  as_postgres "$bin/pg_ctl" -D "$cluster" -l "$log" -s -w -o "$settings" start ||
    { tail -n 20 "$log" >&2; die "PostgreSQL did not start: see $log"; }
}

stop_postgres() {
  as_postgres "$(postgres_bin)/pg_ctl" -D "$cluster" -s -m fast stop 2>/dev/null || true
  if [[ -n $throw_away ]]; then rm -rf "$cluster"; fi
}

# Where a throw-away cluster lives: in memory where there is room. Each test makes a database, a thousand files, and drops
# it; ext4 without a journal searches long for inodes where as many were freed within minutes, and that is three quarters
# of the time of all tests.
throw_away_folder() {
  local parent=/tmp room
  room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $1 == "tmpfs" { print $4 }') || true
  if [[ ${room:-0} -gt 1500000 && -w /dev/shm ]]; then parent=/dev/shm; fi
  mktemp -du "$parent/gatehouse-test.XXXXXX"
}

process_name() { cat "/proc/$1/comm" 2>/dev/null || ps -o comm= -p "$1" 2>/dev/null || true; }

# The folder, made; or a stand-in under /var/tmp, where its name is too long for a socket or needs quoting in a URL, or
# where the user postgres cannot reach it.
reachable() {
  local folder=$1
  mkdir -p "$(dirname "$folder")"
  if [[ ! $folder =~ ^[A-Za-z0-9_./@-]{1,85}$ ]] || ! as_postgres test -x "$(dirname "$folder")"; then
    folder=/var/tmp/gatehouse-$EUID-$(printf %s "$folder" | cksum | cut -d' ' -f1)
    say "PostgreSQL cannot live in $1; taking $folder"
  fi
  if [[ ! -e $folder ]]; then
    mkdir -m 700 "$folder"
    if [[ $EUID -eq 0 ]]; then chown postgres: "$folder"; fi
  fi
  as_postgres test -O "$folder" || die "$folder is another user's"
  printf %s "$folder"
}

# The URL of a database of the cluster.
database_url() { printf 'postgres://postgres@localhost/%s?host=%s' "$1" "$cluster"; }

# psql or another of PostgreSQL's commands on the cluster.
pg() { PGHOST=$cluster PGUSER=postgres "$(postgres_bin)/$1" "${@:2}"; }

# Makes a database unless it exists.
ensure_database() {
  [[ $(pg psql -AtXd postgres -c "select 1 from pg_database where datname = '$1'") == 1 ]] || pg createdb "$1"
}

# --- the server ----------------------------------------------------------------------------------------------------------

# Ends the script with a plain sentence where something listens on the address already.
need_port() {
  if (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; then
    die "something listens on $1 already; stop it${2:+, or choose another address: $2=127.0.0.1:PORT $0}"
  fi
}

# Waits until the server that was started as the child says that it is ready.
await_ready() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    kill -0 "$child" 2>/dev/null || die "the server ended; its last words are above"
    if curl -sf -o /dev/null "http://$1/-/readiness"; then return; fi
    sleep 0.2
  done
  die "the server did not become ready"
}
