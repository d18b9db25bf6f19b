# Makes the settings file of the image of config/gitlab.yml: bin/package sees that each line finds its own.
s|^  secret_file: \.gitlab_shell_secret$|  secret_file: /var/lib/gatehouse/gitlab_shell_secret|
s|^  secret_file: \.gitlab_kas_secret$|  secret_file: /var/lib/gatehouse/gitlab_kas_secret|
s|^  secret_file: \.gitlab_workhorse_secret$|  secret_file: /var/lib/gatehouse/gitlab_workhorse_secret|
s|^  db_key_base_file: \.gatehouse_db_key_base$|  db_key_base_file: /var/lib/gatehouse/db_key_base|
s|^  listen: 127\.0\.0\.1:3001$|  listen: 0.0.0.0:3001|
s|^  metrics_listen: 127\.0\.0\.1:3002$|  metrics_listen: 0.0.0.0:3002|
