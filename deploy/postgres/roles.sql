-- Three roles: one owns the tables and runs `migrate`, one is what API and workers use, and one
-- only reads, for reports. In the database that is to be Orderly's, as a superuser, or as the
-- database's owner if that may create roles (as managed servers give it):
--   psql -v owner_password=… -v app_password=… -v reader_password=… -f roles.sql orderly
-- Run it as often as you like: the roles that are there stay, and so do passwords not given.
-- Other names: -v owner=… -v app=… -v reader=…, for each of these files.
\set ON_ERROR_STOP on
\if :{?owner} \else \set owner orderly_owner \endif
\if :{?app} \else \set app orderly_app \endif
\if :{?reader} \else \set reader orderly_reader \endif

BEGIN;
SELECT format('CREATE ROLE %I LOGIN', name)
    FROM unnest(ARRAY[:'owner', :'app', :'reader']) AS name
    WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec

\if :{?owner_password}
ALTER ROLE :"owner" PASSWORD :'owner_password';
\endif
\if :{?app_password}
ALTER ROLE :"app" PASSWORD :'app_password';
\endif
\if :{?reader_password}
ALTER ROLE :"reader" PASSWORD :'reader_password';
\endif

-- Whoever is no superuser has to be a member of a role to say what it grants.
SELECT format('GRANT %I TO %I', :'owner', current_user)
    WHERE NOT pg_has_role(:'owner', 'USAGE') \gexec

-- Whoever runs `migrate` sees which transaction of the application's is in its way, and may end it.
GRANT :"app" TO :"owner";

-- A runaway pool, or a report that never ends, must leave room for the others.
ALTER ROLE :"app" CONNECTION LIMIT 200;
ALTER ROLE :"reader" CONNECTION LIMIT 10;
ALTER ROLE :"reader" SET default_transaction_read_only = on;
ALTER ROLE :"reader" SET statement_timeout = '60s';
ALTER ROLE :"reader" SET idle_in_transaction_session_timeout = '60s';

REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO :"owner", :"app", :"reader";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"app", :"reader";

-- What `migrate` will make is the application's to use, and not to change in shape.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO :"app";
COMMIT;
