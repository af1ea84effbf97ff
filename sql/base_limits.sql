-- What a template may cost, and what would break an evaluator that is not careful: each ends in
-- an error or a value, soon.
\set VERBOSITY terse
-- memory: nothing that is made on the way is freed before the end
SELECT lyftron.render_template('{% for c in "a" * 1000 %}{% set x = "b" * 16000000 %}{% endfor %}');
SELECT lyftron.render_template('{% set l = ["b"] * 1000000 %}{{ [l] * 1000000 }}');
SELECT lyftron.render_template('{% set ns = namespace(x=[1]) %}{% for c in "a" * 60 %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}');
-- steps: a list that is looked through costs some, too
SELECT lyftron.render_template('{% set l = [0] * 100000 %}{% for c in "a" * 100000 %}{% set x = 1 in l %}{% endfor %}');
SELECT lyftron.render_template('{% set l = [0] * 100000 %}{% for c in "a" * 100000 %}{% set x = l.count(1) %}{% endfor %}');
-- arguments that are not there
SELECT lyftron.render_template('{{ [1] | map | list }}');
SELECT lyftron.render_template('{{ [1] | map(default=1) | list }}');
SELECT lyftron.render_template('{{ "{4294967295}".format(1) }}');
SELECT lyftron.render_template('{{ "{3000000000}".format(1) }}');
SELECT lyftron.render_template('{{ "{1}{0}".format("a", "b") }}');
-- long sources: each of these is read once
SELECT length(lyftron.render_template('{{ ' || repeat('"a" ', 200000) || '}}')::text);
SELECT lyftron.render_template('{% raw %}' || repeat('{%endraw', 100000));
-- a map of many keys that is printed and read back, and one with a key twice
SELECT count(*) FROM jsonb_object_keys(lyftron.render_template('{{ response }} ',
	jsonb_build_object('response', (SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 100000) i))));
SELECT lyftron.render_template('{{ x }}', jsonb_build_object('x', '{''a'': 1, ''b'': 2, ''a'': 3}'));
