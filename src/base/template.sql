CREATE FUNCTION lyftron.render_template(template text, context jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE c
STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'lyf_render_template';

COMMENT ON FUNCTION lyftron.render_template(text, jsonb) IS
'Evaluate a template as a connector would; the keys of context are the names it can use.';
