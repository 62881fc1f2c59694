-- Functions of others that a call could reach instead of logwatch's, and who could make them.

CREATE FUNCTION logwatch_private.open_schema() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT logwatch_private.schema() FROM pg_extension AS e
     WHERE e.extname = 'logwatch' AND has_schema_privilege('public', e.extnamespace, 'CREATE')
    $$;
COMMENT ON FUNCTION logwatch_private.open_schema() IS 'Returns the schema of the public functions when every role can create in it; else NULL';

CREATE FUNCTION logwatch_private.foreign_functions() RETURNS TABLE (name text, owner name, number bigint)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- Without a search_path of its own a name always has its schema.
    SELECT p.oid::regprocedure::text, r.rolname, row_number() OVER (ORDER BY p.oid::regprocedure::text)
      FROM pg_extension AS e
     CROSS JOIN LATERAL (SELECT DISTINCT own.proname
                           FROM pg_depend AS d JOIN pg_proc AS own ON own.oid = d.objid
                          WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
                            AND own.pronamespace = e.extnamespace) AS ours
      JOIN pg_proc AS p ON p.proname = ours.proname
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_roles AS r ON r.oid = p.proowner
     -- A call without a schema finds no function of a temporary one.
     WHERE e.extname = 'logwatch' AND NOT starts_with(n.nspname, 'pg_temp_')
       AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refobjid = e.oid AND d.deptype = 'e')
    $$;
COMMENT ON FUNCTION logwatch_private.foreign_functions() IS 'Functions that are not logwatch''s and have the name of a public one of logwatch';

CREATE FUNCTION logwatch_private.shadow_status() RETURNS TABLE (component text, name text, state text, message text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'schema', open.schema, 'open', format('Every role can create functions in this schema, which calls can reach instead of logwatch''s. Type: REVOKE CREATE ON SCHEMA %s FROM PUBLIC;', open.schema)
      FROM logwatch_private.open_schema() AS open (schema) WHERE open.schema IS NOT NULL
    UNION ALL
    SELECT 'function', f.name, 'foreign', format('A function of role %s with the name of one of logwatch''s: a call without schema and types can reach it. Type: DROP ROUTINE %s;', f.owner, f.name)
      FROM logwatch_private.foreign_functions() AS f WHERE f.number <= 20
    UNION ALL
    SELECT 'function', '*', 'foreign', format('%s more functions with names of logwatch''s: SELECT * FROM logwatch_private.foreign_functions();', count(*))
      FROM logwatch_private.foreign_functions() AS f WHERE f.number > 20 HAVING count(*) > 0
    $$;
COMMENT ON FUNCTION logwatch_private.shadow_status() IS 'Rows of the status about functions that could be called instead of logwatch''s';

-- CREATE EXTENSION warns of a schema in which every role can make such functions.
DO $$
DECLARE
    path constant text := pg_catalog.current_setting('search_path');
    open constant text := logwatch_private.open_schema();
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF open IS NOT NULL THEN
        RAISE WARNING 'every role can create functions in schema %, which calls can reach instead of logwatch''s', open
            USING HINT = format('REVOKE CREATE ON SCHEMA %s FROM PUBLIC; or create the extension in a schema of its own.', open);
    END IF;
    PERFORM set_config('search_path', path, true);
END
$$;
