-- What everybody may see is counted from here: most projects are private.
create index gatehouse_open_projects on projects (visibility_level, id)
    where visibility_level > 0;
