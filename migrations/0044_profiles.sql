-- What the public REST API shows and sets of users, and indexes for finding substrings of names.

alter table users
    add column note text,
    add column preferred_language varchar,
    add column current_sign_in_at timestamp,
    add column last_sign_in_at timestamp,
    add column sign_in_count integer not null default 0;

alter table user_details
    add column bio varchar(255) not null default '',
    add column location text not null default '',
    add column linkedin text not null default '',
    add column twitter text not null default '',
    add column discord text not null default '',
    add column github text not null default '',
    add column website_url text not null default '',
    add column organization text not null default '',
    add column job_title varchar(200) not null default '',
    add column pronouns varchar(50);

-- Without the extension searches find the same and take longer. Whoever may create things in the database may install
-- it (it is trusted); where PostgreSQL came without it, or the role may not, an operator can do so later and then run
-- these statements.
do $$
begin
    create extension if not exists pg_trgm;
    create index index_users_on_username_trigram on users using gin (username gin_trgm_ops);
    create index index_users_on_name_trigram on users using gin (name gin_trgm_ops);
    create index index_users_on_email_trigram on users using gin (email gin_trgm_ops);
    create index index_namespaces_on_name_trigram on namespaces using gin (name gin_trgm_ops);
    create index index_namespaces_on_path_trigram on namespaces using gin (path gin_trgm_ops);
    create index index_projects_on_name_trigram on projects using gin (name gin_trgm_ops);
    create index index_projects_on_path_trigram on projects using gin (path gin_trgm_ops);
    create index index_projects_on_description_trigram on projects using gin (description gin_trgm_ops);
    create index index_on_routes_path_trigram on routes using gin (path gin_trgm_ops);
exception
    when insufficient_privilege or undefined_file or feature_not_supported or undefined_object then
        raise warning 'searches go without pg_trgm, and so without an index: %', sqlerrm;
end
$$;
