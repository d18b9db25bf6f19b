-- Every push asks which merge requests open a branch of the project to members of another one: few do, and a project that
-- is the source of many merge requests is not to be searched for them.
create index index_merge_requests_on_source_that_allows_collaboration on merge_requests (source_project_id)
    where state_id = 1 and allow_maintainer_to_push;
