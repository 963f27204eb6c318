-- The four roles, none a superuser, none past row-level security; migrations do the grants.
-- Run once as the superuser, with psql and the four passwords in its environment. On RDS: the same, as the master user.
\set ON_ERROR_STOP on
\getenv owner CIRCLETAKE_OWNER_PASSWORD
\getenv app CIRCLETAKE_APP_PASSWORD
\getenv dispatcher CIRCLETAKE_DISPATCHER_PASSWORD
\getenv operator CIRCLETAKE_OPERATOR_PASSWORD

-- a password that is not set is a syntax error here, and nothing is made
BEGIN;
CREATE ROLE circletake_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE circletake_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'app';
CREATE ROLE circletake_dispatcher LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'dispatcher';
CREATE ROLE circletake_operator LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'operator';
ALTER DATABASE :"DBNAME" OWNER TO circletake_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO circletake_owner, circletake_app, circletake_dispatcher, circletake_operator;
COMMIT;
