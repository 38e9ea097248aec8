-- What the first objects are for, as \dn+, \du+ and \l+ show it.
--
-- Migrations are numbered, forward only and never edited after a release. Each runs once per
-- database, in the commit that records it.

COMMENT ON SCHEMA public IS 'standard public schema';

COMMENT ON DATABASE kalamdb IS 'default database';

COMMENT ON ROLE kalam_impersonate IS 'members may SET ROLE to any role that is no superuser';

COMMENT ON ROLE kalam_read_all IS 'members may read the rows of all users';
