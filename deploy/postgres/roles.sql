-- Two roles: one owns the tables and runs `migrate`, the other is what API and workers use.
-- Run once as a superuser in the database that is to be Orderly's:
--   psql -v owner_password=... -v app_password=... -f roles.sql orderly
CREATE ROLE orderly_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE orderly_app LOGIN PASSWORD :'app_password' CONNECTION LIMIT 200;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO orderly_owner;
GRANT USAGE ON SCHEMA public TO orderly_app;

-- What `migrate` will make is the application's to use, and not to change in shape.
ALTER DEFAULT PRIVILEGES FOR ROLE orderly_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO orderly_app;
ALTER DEFAULT PRIVILEGES FOR ROLE orderly_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO orderly_app;
