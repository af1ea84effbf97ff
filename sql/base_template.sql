--
-- templates: {{ }} as connectors use them
--
SET lyftron.test_now = '2026-03-14 15:09:26.535897+00';

-- a context, and an error as a row
CREATE FUNCTION pg_temp.render(template text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN lyftron.render_template(template, '{
		"config": {"s": "Hello", "n": 7, "num": "42", "l": [3, 1, 2], "d": {"x": {"y": 2}}, "none": null, "no": false,
				   "date": "2024-01-31T10:20:30Z", "rows": [{"id": 1, "k": "a"}, {"id": 2, "k": "b"}]},
		"stream_slice": {"parent_id": 11}, "response": {"next": "", "items": [{"id": 5}]}}');
EXCEPTION WHEN OTHERS THEN
	RETURN format('%s: %s', SQLSTATE, SQLERRM);
END $$;

-- values keep their type; texts are read as Python literals
SELECT t, pg_temp.render(t) FROM (VALUES
	('plain'), ('{{ config.s }}'), ('{{ config[''n''] }}'), ('{{ config.num }}'), ('{{ config.d }}'), ('{{ config.l }}'),
	('{{ config.none }}'), ('{{ config.no }}'), ('{{ config.n }}{{ config.n }}'), ('x{{ config.d }}'),
	('1_000'), ('007'), ('1,2'), ('(1)'), ('"a" ''b'''), ('{"a": None}'), ('{"a": null}'), ('1e3'), ('0x1F'), ('1 # c')) v(t);

-- what is not there: nothing, a default, an error
SELECT t, pg_temp.render(t) FROM (VALUES
	('{{ config.zz }}'), ('{{ config.zz.y }}'), ('{{ config.get(''zz'', {}).get(''y'') }}'), ('{{ config.zz or ''d'' }}'),
	('{{ config.zz is defined }}'), ('{{ config.zz|default(5) }}'), ('{{ zork }}'), ('{{ zork is defined }}'),
	('{% if config.no %}{% set a = 1 %}{% endif %}{{ a }}'), ('{{ stream_state }}'), ('{{ range(3) }}')) v(t);

-- operators
SELECT t, pg_temp.render(t) FROM (VALUES
	('{{ 1 + 2 * 3 }}'), ('{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}'), ('{{ 2 ** 3 ** 2 }}'), ('{{ 1 ~ 2 + ''3'' }}'),
	('{{ 1 < 2 < 3 }}'), ('{{ 1 == 1.0 == true }}'), ('{{ ''a'' in ''abc'' and 2 not in [1] }}'), ('{{ not 1 in [1] }}'),
	('{{ ''a'' if config.no else ''b'' }}'), ('{{ config.l[1:] + config.l[:-2] }}'),
	('{{ config.s[1:3] }}'), ('{{ config.s[::-1] }}'), ('{{ 1 + ''a'' }}'), ('{{ 1 / 0 }}'), ('{{ 0.1 + 0.2 }}'), ('{{ 1e16 }} x'), ('{{ 1e15 }} x'),
	('{{ 9223372036854775807 + 1 }}'), ('{{ config.l is none }}'), ('{{ config.no is false }}')) v(t);

-- methods and filters
SELECT t, pg_temp.render(t) FROM (VALUES
	('{{ ''a,b''.split('','') }}'), ('{{ '','' .join([''x'', ''y'']) }}'), ('{{ config.s.lower() }}'), ('{{ config.items }}'),
	('{{ response[''items''][0].id }}'), ('{{ ''%s-%05d'' % (''a'', 42) }}'), ('{{ ''{}/{}''.format(1, ''b'') }}'),
	('{{ config.l|sort|join(''-'') }}'), ('{{ config.rows|map(attribute=''id'')|list }}'),
	('{{ config.rows|selectattr(''k'', ''equalto'', ''b'')|map(attribute=''id'')|first }}'),
	('{{ config.num|int + 1 }}'), ('{{ ''x''|int(9) }}'), ('{{ 5|string }}'), ('{{ config.d|string }}'),
	('{{ ''abc''|hash(''sha256'') }}'), ('{{ ''m''|hmac(''k'') }}'), ('{{ ''ab''|base64encode }}'), ('{{ ''YWI=''|base64decode }}'),
	('{{ ''page=12&x''|regex_search(''page=(\d+)'') }}'), ('{{ ''a b/c''|urlencode }}'), ('{{ config.d|tojson }}'),
	('{{ config.s|zork }}'), ('{{ 1 is zork }}')) v(t);

-- texts count in characters
SELECT lyftron.render_template('{{ u[1:3] ~ u|length ~ u[::-1] ~ u|base64encode }}', '{"u": "Zürich"}') = '"ür6hcirüZWsO8cmljaA=="' AS same;

-- time
SELECT t, pg_temp.render(t) FROM (VALUES
	('{{ now_utc() }}'), ('{{ today_utc() }}'), ('{{ now_utc().strftime(''%Y-%m-%dT%H:%M:%SZ'') }}'),
	('{{ (now_utc() - duration(''P1M'')).strftime(''%Y-%m-%d'') }}'), ('{{ day_delta(-1, format=''%Y-%m-%d'') }}'),
	('{{ str_to_datetime(''2024-01-31'') + duration(''P1M'') }}'), ('{{ timestamp(''2024-01-01T00:00:00Z'') }}'),
	('{{ format_datetime(config.date, ''%s'') }}'), ('{{ format_datetime(config.date, ''%ms'') }}'),
	('{{ format_datetime(''31/01/2024'', ''%Y-%m-%dT%H:%M:%S.%_msZ'', ''%d/%m/%Y'') }}'),
	('{{ today_with_timezone(''Asia/Tokyo'') }}'), ('{{ str_to_datetime(''x'') }}'), ('{{ duration(''P'') }}')) v(t);

-- statements
SELECT t, pg_temp.render(t) FROM (VALUES
	('{% if config.n > 5 %}a{% elif config.n %}b{% else %}c{% endif %}'),
	('{% for i in config.l if i > 1 %}{{ i }}{{ '','' if not loop.last }}{% endfor %}'),
	('{% for k, v in config.d.items() %}{{ k }}={{ v }}{% else %}none{% endfor %}'),
	('{% set ns = namespace(sum=0) %}{% for i in config.l %}{% set ns.sum = ns.sum + i %}{% endfor %}{{ ns.sum }}'),
	('{% set l = [] %}{% for i in config.l %}{% set _ = l.append(i * 2) %}{% endfor %}{{ l }}'),
	('{% set x | upper %}abc{% endset %}{{ x }}'), (' a {{- config.n -}} b '), ('{# c #}x'), ('{% raw %}{{ x }}{% endraw %}'),
	('{% include "x" %}'), ('{{ config.s'), ('{% if 1 %}'), ('client_secret) }}')) v(t);

-- a template never changes what it was given, and never runs for ever
SELECT t, pg_temp.render(t) FROM (VALUES
	('{% set _ = config.update({''x'': 1}) %}{{ config.x }}'), ('{{ config.l.append(1) }}'),
	('{{ ''a'' * 100000000 }}'), ('{{ [1] * 100000000 }}'),
	('{% for i in [1] * 2000 %}{% for j in [1] * 2000 %}{% endfor %}{% endfor %}')) v(t);
SELECT pg_temp.render('{{ ' || repeat('(', 1000) || '1' || repeat(')', 1000) || ' }}');
SELECT pg_temp.render('{{ ' || repeat('-', 1000) || '1 }}');
SELECT pg_temp.render('{{ 1' || repeat(' + 1', 1000) || ' }}');
SELECT left(pg_temp.render('{{ config' || repeat('.a', 100000) || ' }}'), 60);
SELECT pg_temp.render(repeat('[', 1000) || repeat(']', 1000)) = to_jsonb(repeat('[', 1000) || repeat(']', 1000))::text AS stays_text;

SELECT lyftron.render_template('{{ x }}', '[1]');
SELECT lyftron.render_template('{{ x + 1 }}', '{"x": 1}');
