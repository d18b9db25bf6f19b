# Builds Gatehouse from its sources. bin/package puts the archive's address, its checksum and the commit into it.
class Gatehouse < Formula
  desc "GitLab's internal API as one small binary, answered from PostgreSQL"
  homepage "@HOMEPAGE@"
  url "@URL@"
  version "@VERSION@"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "rust" => :build

  def install
    ENV["GATEHOUSE_REVISION"] = "@REVISION@"
    system "cargo", "install", *std_cargo_args
    generate_completions_from_executable(bin/"gatehouse", "completions")
    system bin/"gatehouse", "man", man1

    settings = buildpath/"config/gitlab.yml"
    inreplace settings do |text|
      text.gsub!(/_file: \.(\w+)$/, "_file: #{var}/gatehouse/\\1")
    end
    (etc/"gatehouse").install settings
    (pkgshare/"examples").install "config/demo.yml"
  end

  def post_install
    (var/"gatehouse").mkpath
    (var/"gatehouse").chmod 0700
  end

  service do
    run [opt_bin/"gatehouse", "serve"]
    environment_variables GATEHOUSE_CONFIG: etc/"gatehouse/gitlab.yml"
    working_dir var/"gatehouse"
    log_path var/"log/gatehouse.log"
    error_log_path var/"log/gatehouse.log"
    keep_alive true
  end

  def caveats
    <<~TEXT
      Gatehouse needs a PostgreSQL database; DATABASE_URL or gatehouse.database.url in
        #{etc}/gatehouse/gitlab.yml
      say which. It reads that file where GATEHOUSE_CONFIG names it, as `brew services` does.
    TEXT
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/gatehouse --version")
    # It judges the settings, and says that no database is there.
    output = shell_output("DATABASE_URL=postgres://nobody@127.0.0.1:1/none #{bin}/gatehouse check", 1)
    assert_match "settings: ok", output
  end
end
