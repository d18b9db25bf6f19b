-- The older fingerprint of a key, by which clients of the REST API may ask for it: pairs of digits with colons between.
-- Null for what is no key, and where PostgreSQL computes no MD5.

create function gatehouse_key_md5(line text) returns text
language plpgsql
immutable
as $$
begin
    return regexp_replace(md5(decode(split_part(line, ' ', 2), 'base64')), '(..)(?!$)', '\1:', 'g');
exception
    when others then
        return null;
end
$$;

update keys set fingerprint = gatehouse_key_md5(key) where fingerprint is null;
