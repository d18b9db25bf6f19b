# Makes the settings file of the Debian package of config/gitlab.yml: bin/package sees that each line finds its own.
s|^  secret_file: \.gitlab_shell_secret$|  secret_file: /var/lib/gatehouse/gitlab_shell_secret|
s|^  secret_file: \.gitlab_kas_secret$|  secret_file: /var/lib/gatehouse/gitlab_kas_secret|
s|^  secret_file: \.gitlab_workhorse_secret$|  secret_file: /var/lib/gatehouse/gitlab_workhorse_secret|
s|^  db_key_base_file: \.gatehouse_db_key_base$|  db_key_base_file: /var/lib/gatehouse/db_key_base|
s|^  socket:$|  socket: /run/gatehouse/gatehouse.socket|
s|^    url: postgres://gatehouse@localhost/gatehouse$|    url: postgres://gatehouse@localhost/gatehouse?host=/run/postgresql|
s|^  # Where clients are answered: .*$|  # Under systemd, gatehouse.socket and gatehouse-monitoring.socket say where: these three count where those are masked.\n&|
