-- Which servers this schema is for: those that know this step, or a later one. A step that takes something away, or asks
-- more of writers than the release before it does, raises the number; all others leave it, so that the release before
-- keeps serving.
create table schema_requirements (
  singleton boolean primary key default true check (singleton),
  oldest_known_step bigint not null
);

insert into schema_requirements (oldest_known_step)
values (36);
