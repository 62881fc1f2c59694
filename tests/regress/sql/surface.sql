-- CREATE EXTENSION makes these objects, in a database with the default search_path.
SELECT count(*) > 0 AS answers FROM (SELECT logwatch_status()) AS s;
SELECT * FROM logwatch_check();
SELECT component, name, state, count, threshold, message FROM logwatch_status() WHERE component = 'rule';
-- The public functions, and that nobody but the owner and pg_monitor may use them.
SELECT p.oid::regprocedure AS function, pg_get_function_result(p.oid) AS result, p.prosecdef AS definer
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = 'public' AND p.proname LIKE 'logwatch%' ORDER BY p.oid::regprocedure::text COLLATE "C";
-- The view of the public functions lists each of them, with its comment.
SELECT count(*) = (SELECT count(*) FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'logwatch%') AS lists_all,
       count(*) FILTER (WHERE description IS NULL) AS without_description FROM logwatch.functions;
SELECT name, arguments, description FROM logwatch.functions WHERE name = 'logwatch_ack';
-- Every object of the extension has a comment.
SELECT pg_describe_object(d.classid, d.objid, 0) AS without_comment
  FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
 WHERE e.extname = 'logwatch' AND obj_description(d.objid, d.classid::regclass::name) IS NULL
   AND d.classid <> 'pg_type'::regclass OR (d.classid = 'pg_type'::regclass AND d.objid = 'logwatch.level'::regtype AND obj_description(d.objid, 'pg_type') IS NULL);
-- Nothing for PUBLIC.
SELECT p.oid::regprocedure AS for_public FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE (n.nspname LIKE 'logwatch%' OR p.proname LIKE 'logwatch%') AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0));
SELECT c.oid::regclass AS for_public FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = 'logwatch' AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = 0);
-- Every function that runs with the owner's rights has a fixed search_path.
SELECT p.oid::regprocedure AS unpinned FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE (n.nspname LIKE 'logwatch%' OR p.proname LIKE 'logwatch%') AND p.prosecdef
   AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%');
