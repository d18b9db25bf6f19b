# frozen_string_literal: true

# What a bare endpoint of Grape, ActiveRecord and Puma takes for a signed request with one query: a peer of /allowed, asked
# for by `PEER=grape bin/bench allowed`. It decides nothing; GitLab's own endpoint does much more.

require 'active_record'
require 'grape'
require 'jwt'

ActiveRecord::Base.establish_connection(
  adapter: 'postgresql', host: ENV.fetch('PGHOST'), database: ENV.fetch('PGDATABASE'), username: ENV.fetch('PGUSER'),
  port: ENV.fetch('PGPORT', 5432), pool: 8
)
ActiveRecord::Base.logger = nil

SECRET = File.read(ENV.fetch('GITLAB_SHELL__SECRET_FILE')).strip
ATTEMPT = <<~SQL
  select users.username, project_authorizations.access_level
  from keys
  join users on users.id = keys.user_id
  join routes on routes.path = $2 and routes.source_type = 'Project'
  left join project_authorizations
    on project_authorizations.user_id = users.id and project_authorizations.project_id = routes.source_id
  where keys.id = $1
SQL

# POST /api/v4/internal/allowed
class Peer < Grape::API
  format :json

  post '/api/v4/internal/allowed' do
    token = headers['Gitlab-Shell-Api-Request']
    begin
      JWT.decode(token, SECRET, true, algorithm: 'HS256', iss: 'gitlab-shell', verify_iss: true)
    rescue JWT::DecodeError
      error!({ message: '401 Unauthorized' }, 401)
    end
    ActiveRecord::Base.connection_pool.with_connection do |connection|
      binds = [
        ActiveRecord::Relation::QueryAttribute.new('id', params[:key_id], ActiveRecord::Type::BigInteger.new),
        ActiveRecord::Relation::QueryAttribute.new('path', params[:project], ActiveRecord::Type::String.new)
      ]
      found = connection.select_one(ATTEMPT, 'attempt', binds)
      status 200
      { status: !found.nil? && !found['access_level'].nil?, gl_username: found && found['username'] }
    end
  end
end

run Peer
