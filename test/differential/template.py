"""
Compare templates as airbyte-cdk evaluates them with lyftron.render_template.

    python test/differential/template.py [--manifests DIR] [psql option ...]

Runs in a Python that has airbyte-cdk 7; the psql options name a database that has
the extension.  --manifests: a folder of low-code manifests; every distinct
template in them is compared too.  Prints the differences and ends with 1 if there
are any.
"""
import argparse
import datetime
import json
import logging
import subprocess
import sys
import types
from pathlib import Path

import yaml
from airbyte_cdk.sources.declarative.interpolation import macros
from airbyte_cdk.sources.declarative.interpolation.jinja import JinjaInterpolation
from airbyte_cdk.sources.types import StreamSlice

NOW = datetime.datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=datetime.timezone.utc)

CONTEXT = {
    "config": {
        "s": "Hello", "n": 7, "neg": -3, "f": 2.5, "big": 1e22, "t": True, "no": False, "none": None, "empty": "",
        "l": [3, 1, 2], "words": ["b", "A", "c", "a"], "d": {"x": {"y": 2}, "k": "v"}, "num": "42", "zeros": "007",
        "date": "2024-01-31T10:20:30Z", "day": "2024-02-29", "ts": 1704067200, "ms": 1704067200123, "text": "a, b ,c",
        "uni": "Zürich ✓ 'q' \"dq\"", "quote": "it's", "dq": 'say "x"', "both": "it's \"x\"", "nl": "a\nb\tc\\",
        "start_date": "2024-01-01T00:00:00Z", "items": [1], "list": "[1, 2]", "map": "{'a': 1}", "e": "1e3",
        "rows": [{"id": 1, "n": "x", "v": {"w": 5}}, {"id": 2, "n": "Y", "v": {"w": 4}}, {"id": 3, "n": "x"}],
        "float_text": "3.7", "space": " 5", "bool_text": "true", "True_text": "True", "url": "https://x.io/a b?q=1&r=é",
    },
    "record": {"id": 5, "name": "n", "tags": ["a", "b"], "nested": {"a": [1, {"b": "c"}]}, "null": None, "zero": 0,
               "amount": 12.50, "small": 0.00001, "huge": 1.25e-300, "exact": 0.1, "whole": 3.0},
    "response": {"next": "abc", "page": 2, "total": 10, "data": [], "has_more": False, "links": {"next": {"url": "u"}}},
    "headers": {"link": {"next": {"url": "http://x/2"}}, "X-Total": "15"},
    "last_record": {"id": 9, "updated": "2024-05-06"}, "last_page_size": 3,
    "stream_slice": {"parent_id": 11, "start_time": "2024-01-01", "end_time": "2024-01-31"},
    "next_page_token": {"next_page_token": 4},
    "parameters": {"name": "users", "path": "v1/users", "flag": True},
}

# expressions: each is put into {{ }}
EXPRESSIONS = r'''
1
1.0
1e3
1_000
0x1F
0b101
0o17
1.5e-7
-5
+5
- -5
'x'
"x"
'a' 'b'
'a\nb'
'\x41\u00e9'
'\q'
true
True
none
None
false
[1, 2, 3]
[1, 2, 3,]
[]
{}
()
(1,)
(1, 2)
1, 2
{'a': 1, 'b': [1, {'c': none}]}
{'a': 1}['a']
{'a': 1}.a
{1: 2}
{'a': 1, 'a': 2}
config
config.s
config['s']
config["s"]
config.d.x.y
config['d']['x']['y']
config.d['x'].y
config.zz
config.zz.y
config['zz']['y']
config.get('zz')
config.get('zz', 5)
config.get('zz', {}).get('q')
config.get('d', {}).get('x', {}).get('y')
config.none
config.none.foo
config.none.foo.bar
config.n.foo
config.n.foo.bar
config.s.foo()
config.l[0]
config.l[-1]
config.l[5]
config.l[-5]
config.l.0
config.l['0']
config.l[1:]
config.l[:2]
config.l[::-1]
config.l[-2:]
config.l[::2]
config.l[5:]
config.l[1:none]
config.s[0]
config.s[-1]
config.s[9]
config.s[1:3]
config.s[::-1]
config.s[-3:]
config.s[:-2]
config.s[::2]
config.uni[1]
config.uni[:4]
config.uni[::-1]
config.n[0]
config.n[1:2]
config.d[1:2]
config['items']
config.items
config['items'][0]
config.big
config.f
config.t
config.no
config.empty
config.num
config.zeros
config.list
config.map
config.e
config.space
config.bool_text
config.True_text
config.date
config.uni
config.quote
config.dq
config.both
config.nl
[config.quote, config.dq, config.both, config.nl, config.uni]
config.l
config.d
record
record.amount
record.small
record.huge
record.exact
record.whole
record.amount ~ ''
record.small ~ ''
record.huge ~ ''
record.whole ~ ''
record.exact + 0.2
1/3
2/3
10/5
7//2
-7//2
7//-2
7.5//2
-7.5//2
7%3
-7%3
7%-3
-7.5%2
7.5%-2
2**10
2**-1
2**0.5
2**3**2
-2**2
(-2)**2
(-1)**3
0**0
1+2*3
(1+2)*3
1-2-3
10/2*5
1~2~3
1~2+3
'a'+'b'
'a'~'b'
'a'*3
3*'a'
'ab'*0
'1'*3
[1]+[2]
[1]*3
(1,)+(2,)
1+'a'
'a'+1
'a'-1
[1]+(1,)
1/0
1%0
1//0
1.0/0
none+1
config.zz+1
1+config.zz
config.zz~'x'
config.zz|int
config.zz|float
config.zz|length
config.zz|lower
config.zz|default('d')
config.zz|default
config.zz|list
config.zz|first
config.zz|join(',')
config.zz|string
config.zz == config.yy
config.zz != config.yy
config.zz == none
config.zz is none
config.zz is defined
config.zz is not defined
config.zz is undefined
config.zz < 1
config.zz in [1]
1 in config.zz
not config.zz
config.zz or 'x'
config.zz and 'x'
config.zz if config.zz else 'no'
-config.zz
config.zz()
config.zz[0]
config.zz * 2
1 == 1.0
1 == true
'1' == 1
'a' < 'b'
'a' < 'B'
'Z' < 'é'
1 < 2 < 3
3 > 2 > 2
1 < 2 == true
1 <= 1
2 >= 3
1 < 'a'
none < 1
[1,2] < [1,3]
[1] == [1]
[1,2] < [1]
{'a': 1} == {'a': 1.0}
{'a': 1} < {'b': 1}
1 != 2
'a' in 'abc'
'' in 'abc'
1 in 'abc'
1 in [1, 2]
1.0 in [1, 2]
'x' in config.d
'zz' not in config.d
1 in config.d
'a' in none
'a' in 5
not 1
not ''
not 1 in [1]
not true and false
true and 'abc'
false or 'abc'
0 or '' or none
0 or '' or 'z'
1 and 2 and 3
1 and 0 and 3
true or 1/0
1 if true else 2
1 if false else 2
1 if false
1 if true
1 if 0 else 2 if 0 else 3
'a' if config.s == 'Hello' else 'b'
1 is none
none is none
none is not none
1 is number
'1' is number
true is number
1 is integer
true is integer
1.0 is float
1 is float
'a' is string
1 is string
config is mapping
[] is mapping
[] is sequence
'a' is sequence
5 is sequence
[] is iterable
5 is iterable
true is boolean
1 is boolean
true is true
1 is true
false is false
0 is false
config.no is false
3 is odd
4 is even
3 is even
9 is divisibleby 3
9 is divisibleby(4)
1 is in [1, 2]
3 is not in [1, 2]
5 is eq 5
5 is equalto 6
5 is ne 5
5 is lt 6
5 is gt 6
5 is ge 5
5 is le 4
5 is greaterthan(4)
'abc' is lower
'ABC' is upper
'aBC' is upper
1 is sameas 1
now_utc is callable
config.s is defined and config.n > 5
config.n > 5 and config.n < 10 or false
(config.n + 1) * 2
config.s ~ '-' ~ config.n
config.s + '-' + config.n|string
config.s|lower
config.s|upper
config.n|lower
'hello world'|capitalize
'hello wORLD'|title
"it's foo-bar (x)"|title
'  x '|trim
'xxaxx'|trim('x')
config.uni|length
config.l|length
config.d|length
5|length
none|length
config.l|count
config.l|first
config.l|last
[]|first
[]|last
'abc'|first
'abc'|last
config.d|first
config.l|list
'abc'|list
config.d|list
5|list
config.l|join(',')
config.l|join
config.l|join('-')
config.rows|join(',', attribute='n')
[1, none, 'a', 2.5]|join('|')
config.l|sort
config.l|sort(reverse=true)
config.words|sort
config.words|sort(case_sensitive=true)
config.rows|sort(attribute='v.w')|map(attribute='id')|list
config.rows|sort(attribute='n')|map(attribute='id')|list
[1, 'a']|sort
config.rows|map(attribute='id')|list
config.rows|map(attribute='v.w')|list
config.rows|map(attribute='zz', default=0)|list
config.rows|map(attribute='v.w', default=0)|list
config.words|map('upper')|list
config.words|map('upper')|join(',')
[' a', 'b ']|map('trim')|list
config.l|map('string')|list
['1', '2']|map('int')|list
config.l|map('zork')|list
config.rows|selectattr('n', 'equalto', 'x')|map(attribute='id')|list
config.rows|selectattr('v')|list|length
config.rows|selectattr('v', 'defined')|map(attribute='id')|list
config.rows|rejectattr('n', 'eq', 'x')|map(attribute='id')|list
config.rows|selectattr('id', 'in', [1, 3])|map(attribute='id')|list
config.l|select('odd')|list
config.l|reject('odd')|list
config.l|select('gt', 1)|list
[0, 1, '', 'a']|select|list
[0, 1, '', 'a']|reject|list
[1, 2, 1, 3, 2]|unique|list
['a', 'A', 'b']|unique|list
config.rows|unique(attribute='n')|map(attribute='id')|list
config.l|max
config.l|min
config.words|max
[]|max
config.rows|max(attribute='id')
config.l|sum
[]|sum
config.l|sum(start=10)
config.rows|sum(attribute='id')
[1.5, 2]|sum
['a']|sum
config.l|reverse|list
'abc'|reverse
{'b': 1, 'a': 2}|dictsort
{'b': 1, 'a': 2}|dictsort(by='value')
{'a': 1}|items|list
{'a': 1}.items()|list
{'a': 1, 'b': 2}.keys()|list
{'a': 1, 'b': 2}.values()|list
'x'|default('d')
''|default('d')
''|default('d', true)
none|default('d')
none|default('d', true)
none|d('q', true)
'42'|int
'4x'|int
'4x'|int(9)
'3.9'|int
' 42 '|int
'-42'|int
'+7'|int
'1_000'|int
'ff'|int(base=16)
'0xff'|int(base=16)
'ff'|int(0, 16)
3.9|int
-3.9|int
none|int
true|int
[]|int
''|int
'1e3'|int
'inf'|int
'3.5'|float
'x'|float
'x'|float(1.5)
'1e3'|float
'nan'|float
'inf'|float
'-inf'|float
none|float
3|float
true|float
2.5|round
3.5|round
2.675|round(2)
2.5|round(0, 'ceil')
2.5|round(0, 'floor')
2.123|round(2, 'ceil')
7|round
1234|round(-2)
'a'|round
-5|abs
-5.5|abs
'a'|abs
'a-b-c'|replace('-', '+')
'a-b-c'|replace('-', '+', 1)
'aaa'|replace('', 'x')
5|replace(5, 6)
'%s-%s'|format('a', 'b')
'%05d'|format(42)
'a b/c&d=é'|urlencode
{'a': 'b c', 'd': 1}|urlencode
[('a', 'b/c')]|urlencode
5|urlencode
config.url|urlencode
config.d|tojson
config.uni|tojson
[1, 'a', none, true, 1.5]|tojson
"<a>&'"|tojson
'x'|tojson
5|tojson
{'b': 1, 'a': 2}|tojson
now_utc()|tojson
config.d|string
5|string
'5'|string
none|string
true|string
[1, 'a']|string
config.uni|string
1.5|string
now_utc()|string
'<a href="x">\'&'|escape
'<a>'|e
'a'|safe
'a b_c d-e'|wordcount
'abc'|hash
'abc'|hash('md5')
'abc'|hash('sha1')
'abc'|hash('sha256')
'abc'|hash('sha512')
'abc'|hash('sha224')
'abc'|hash('sha384')
'abc'|hash('md5', 'salt')
'abc'|hash('md5', salt='salt')
'abc'|hash('zork')
5|hash
none|hash
record|hash
config.uni|hash
[1, 'a']|hash
'msg'|hmac('key')
'msg'|hmac('key', 'sha256')
'msg'|hmac('key', 'md5')
'msg'|hmac(5)
'hello'|base64encode
'é'|base64encode
''|base64encode
5|base64encode
'aGVsbG8='|base64decode
'aGVsbG8'|base64decode
'/w=='|base64decode
'hello'|base64binascii_decode
'goo.page=12'|regex_search('page=(\\d+)')
'goo'|regex_search('page=(\\d+)')
'goo'|regex_search('o')
'abc'|regex_search('^(a)(b)')
'key: val'|regex_search(': *(\\w+)$')
'a<b>c'|regex_search('<(.*?)>')
'ab'|regex_search('(?:x|a)(b)')
'ab'|regex_search('(')
5|regex_search('a')
'a1b2'|regex_replace('[0-9]', '#')
'a1b2'|regex_replace('([0-9])', '<\\1>')
'abc'|regex_replace('x*', '-')
'John Smith'|regex_replace('(\\w+) (\\w+)', '\\2 \\1')
config.s.lower()
config.s.upper()
config.s.title()
'hello'.capitalize()
config.text.split(',')
config.text.split(', ')
'a b  c '.split()
'a,b,c'.split(',', 1)
'a,b,c'.rsplit(',', 1)
'a b c'.split(maxsplit=1)
'a'.split('')
''.split(',')
''.split()
'a=b=c'.partition('=')
'abc'.partition('x')
','.join(['a', 'b'])
','.join([1, 2])
','.join(config.words)
','.join('abc')
''.join([])
'abc'.replace('b', 'x')
'aaa'.replace('a', 'b', 2)
'abc'.replace('', '-')
' a '.strip()
'xax'.strip('x')
' a '.lstrip()
' a '.rstrip()
'éaé'.strip('é')
'abc'.startswith('a')
'abc'.startswith(('x', 'a'))
'abc'.endswith('bc')
'abc'.find('c')
'abc'.find('z')
'banana'.count('an')
'7'.zfill(3)
'-7'.zfill(4)
'123'.isdigit()
'12a'.isdigit()
'abc'.isalpha()
'{}-{}'.format(1, 'a')
'{0}{1}{0}'.format('a', 'b')
'{a}'.format(a=5)
'{{}}'.format()
'{}'.format()
'%s' % 'a'
'%s-%d' % ('a', 5)
'%5.2f' % 3.14159
'%05d' % 42
'%x' % 255
'%s %s' % ('a',)
'%s' % [1, 2]
'%d' % 'a'
'%(a)s' % {'a': 1}
'100%%' % ()
'é'.upper()
[1, 2].index(2)
[1, 2].index(5)
[1, 1, 2].count(1)
{'a': 1}.get('a')
{'a': 1}.get('b')
{'a': 1}.get('b', 'c')
{'a': 1}.get()
{'a': 1}.zork()
{'a': 1}.copy()
dict(a=1, b='x')
dict({'a': 1}, b=2)
max(1, 2)
max([1, 3, 2])
max('a', 'b')
max(1, 2.5)
max(1, 'a')
max([])
max()
max(5)
min(3, 1)
min([2, 1])
min('2024-01-01', '2023-05-05')
max(config.date, '2023-01-01')
sanitize_url('https://x.io/a b?q=é&r=/')
sanitize_url(5)
camel_case_to_snake_case('CamelCase')
camel_case_to_snake_case('camelCASE')
camel_case_to_snake_case('already_snake')
camel_case_to_snake_case(5)
generate_uuid()|length
now_utc()
now_utc() ~ ''
today_utc()
today_with_timezone('Asia/Tokyo')
today_with_timezone('Pacific/Tarawa') ~ ''
today_with_timezone('No/Where')
now_utc().strftime('%Y-%m-%dT%H:%M:%SZ')
now_utc().strftime('%Y-%m-%dT%H:%M:%S.%fZ')
now_utc().strftime('%s')
now_utc().strftime('%Y%m%d')
now_utc().strftime('%j %U %W %u %w %V %G %y %b %B %a %A %p %I %e %k %l %C %D %T %F %R %Z %z %% %c %x %X')
now_utc().strftime('%-d/%-m %_d %^a')
now_utc().strftime('%Q')
now_utc().strftime('%ms')
now_utc().strftime('100%')
now_utc().strftime(5)
now_utc().isoformat()
now_utc().timestamp()
now_utc().timestamp()|int
now_utc().weekday()
now_utc().isoweekday()
now_utc().date()
now_utc().date().isoformat()
now_utc().year
now_utc().month
now_utc().day
now_utc().hour
now_utc().minute
now_utc().second
now_utc().microsecond
now_utc().zork
now_utc().replace(day=1).strftime('%Y-%m-%d')
now_utc().replace(hour=0, minute=0, second=0, microsecond=0)
now_utc().replace(month=13)
now_utc() - duration('P1D')
now_utc() - duration('P1M')
now_utc() + duration('PT3H')
now_utc() - duration('P1Y2M3DT4H5M6S')
(now_utc() - duration('P30D')).strftime('%Y-%m-%d')
now_utc() - now_utc()
(now_utc() - str_to_datetime('2026-03-01')).days
(now_utc() - str_to_datetime('2026-03-01')).seconds
(now_utc() - str_to_datetime('2026-03-01')).total_seconds()
now_utc() + 5
now_utc() > str_to_datetime('2025-01-01')
now_utc() < str_to_datetime('2025-01-01')
now_utc() == now_utc()
today_utc() == now_utc()
today_utc() - duration('P1D')
today_utc() + duration('PT36H')
today_utc() - duration('P1M')
today_utc().strftime('%Y-%m-%d')
today_utc().strftime('%Y-%m-%dT%H:%M:%SZ')
today_utc().weekday()
today_utc().isoformat()
today_utc().year
today_utc().timestamp()
duration('P1D')
duration('PT1H')
duration('P1M')
duration('P2M')
duration('P1Y')
duration('P1W')
duration('PT0.5S')
duration('P1DT12H30M')
duration('-P1D')
duration('P')
duration('PT')
duration('x')
duration(5)
duration('P1D') * 2
duration('P1D') + duration('PT1H')
duration('P1D') - duration('P2D')
duration('P1D') > duration('PT1H')
duration('P1D').days
duration('PT1H').seconds
duration('P1DT1H').total_seconds()
str_to_datetime('2024-01-31') + duration('P1M')
str_to_datetime('2024-03-31') - duration('P1M')
str_to_datetime('2024-02-29') + duration('P1Y')
str_to_datetime('2022-01-14')
str_to_datetime('2022-01-01T13:45:30+00:00')
str_to_datetime('2022-01-01T13:45:30+02:30')
str_to_datetime('2022-01-01T13:45:30.123456789Z')
str_to_datetime('2022-01-01 13:45')
str_to_datetime('2022-01')
str_to_datetime('2022')
str_to_datetime('20220114')
str_to_datetime('20220114T134530')
str_to_datetime('2022-W03-2')
str_to_datetime('2022W032')
str_to_datetime('2022-032')
str_to_datetime('2022-01-01T24:00')
str_to_datetime('2022-01-01T24:01')
str_to_datetime('2022-01-01T13')
str_to_datetime('2022-01-01T1345')
str_to_datetime('2022-01-01T13:45:30,5')
str_to_datetime('2022-01-01T13:45Z')
str_to_datetime('2022-01-01T13:45-05')
str_to_datetime('2022-13-01')
str_to_datetime('2022-02-30')
str_to_datetime('01/02/2022')
str_to_datetime('')
str_to_datetime('now')
str_to_datetime('2022-01-01T')
str_to_datetime('2022-01-01T25:00')
str_to_datetime(5)
str_to_datetime(none)
[str_to_datetime('2022-01-14').isoformat()]
timestamp(1658505815.223235)
timestamp(5)
timestamp('2024-01-01T00:00:00Z')
timestamp('2024-01-01T00:00:00.5Z')
timestamp('2024-01-01')
timestamp('x')
timestamp(none)
timestamp(true)
day_delta(0)
day_delta(-1)
day_delta(25)
day_delta(1.5)
day_delta(-1, format='%Y-%m-%d')
day_delta(-1, '%Y-%m-%dT%H:%M:%SZ')
day_delta('a')
format_datetime('2024-01-31T10:20:30Z', '%Y-%m-%d')
format_datetime(config.date, '%d/%m/%Y %H:%M')
format_datetime(config.date, '%s')
format_datetime(config.date, '%ms')
format_datetime(config.date, '%s_as_float')
format_datetime(config.date, '%epoch_microseconds')
format_datetime('2024-01-31T10:20:30.123456Z', '%ms')
format_datetime('2024-01-31T10:20:30.123456Z', '%s_as_float')
format_datetime('2024-01-31T10:20:30.123456Z', '%epoch_microseconds')
format_datetime('2024-01-31T10:20:30.123456Z', '%Y-%m-%dT%H:%M:%S.%_msZ')
format_datetime('2024-01-31T10:20:30.123456Z', '%H:%M:%S.%f')
format_datetime('2024-01-31T10:20:30+02:00', '%Y-%m-%dT%H:%M:%S%z')
format_datetime(config.ts, '%Y-%m-%d')
format_datetime(config.ms, '%Y-%m-%dT%H:%M:%S.%fZ', '%ms')
format_datetime(config.ts, '%Y-%m-%d', '%s')
format_datetime('31/01/2024', '%Y-%m-%d', '%d/%m/%Y')
format_datetime('2024-01-31 10:20', '%s', '%Y-%m-%d %H:%M')
format_datetime('2024-01-31T10:20:30+0200', '%Y-%m-%dT%H:%M:%S%z', '%Y-%m-%dT%H:%M:%S%z')
format_datetime('2024-01-31T10:20:30+0200', '%Z', '%Y-%m-%dT%H:%M:%S%z')
format_datetime('Jan 5 2024', '%Y-%m-%d', '%b %d %Y')
format_datetime('january 5 2024', '%Y-%m-%d', '%B %d %Y')
format_datetime('5:07 PM 24', '%H:%M %Y', '%I:%M %p %y')
format_datetime('2024 060', '%Y-%m-%d', '%Y %j')
format_datetime('x', '%Y', '%Y-%m')
format_datetime('2024-01-31', '%Y', '%Y-%m')
format_datetime('2024-02-30', '%Y', '%Y-%m-%d')
format_datetime('x', '%Y')
format_datetime(none, '%Y')
format_datetime(now_utc(), '%Y-%m-%d')
format_datetime(now_utc(), '%s')
format_datetime(now_utc() - duration('P1D'), '%Y-%m-%dT%H:%M:%SZ')
format_datetime(today_utc(), '%Y')
format_datetime(config.date, format='%Y')
format_datetime(dt=config.date, format='%Y')
format_datetime(config.date)
format_datetime(1.5, '%Y')
format_datetime(config.date, '%Y-%m-%dT%H:%M:%S.%f')[:-3]
zork
zork is defined
zork.a
config.s if zork else 'a'
range(3)
zork()
stream_slice.parent_id
stream_partition.parent_id
stream_interval.start_time
stream_partition['parent_id']
stream_slice
stream_state
next_page_token['next_page_token']
parameters.name
parameters['path']
parameters.get('zz', 'd')
headers['link']['next']['url']
headers.link.next.url
headers['X-Total']|int + 1
headers.get('zz', {}).get('next', {}).get('url')
last_record.id
last_record['updated'] or config.start_date
last_page_size < 5
response.next
response['data']|length
response.data[-1].id
response.data[-1]['id']
not response.has_more
response.get('has_more') is false
response['page'] + 1 if response['page'] < response['total'] else None
response.page * 10 >= response.total
'next' in response and response.next
'https://x/' ~ parameters.path ~ '?id=' ~ stream_slice.parent_id
{'id': record.id, 'name': record.name, 'tags': record.tags}
{'query': 'a', 'variables': {'n': config.n, 'l': config.l}}
[record.id, record.name, record.zz]
[now_utc()]
{'a': now_utc()}
[config.zz]
record.nested.a[1].b
record['nested']['a'][1]['b']
record.null
record.null is none
record.null or 'd'
record.zero
record.zero or 'd'
config.s.upper
now_utc
config.d.items()
config.d.keys()
config.l|map('string')
namespace(a=1).a
config['l'] + [record.id]
config['n'] ~ config['num']
config.num|int + 1
config.num + 1
config.f * 2
config.f + 0.5
1e400
-1e400
[1e400]
5 / 2
6 / 2
1000000 * 1000000
0.1 + 0.2
1e16
1e15
123456789.123456789
1.0
100.0
1e-5
0.0001
-0.0
5 % 2.5
'a' | upper | lower | length
(config.l | sort)[0]
(config.l | sort | first) + 1
config.l | sort | join(',') | upper
-config.n
-(config.n + 1)
-config.n|abs
+config.f
- 'a'
1 if config.l else 2
config.l and config.d and 'x'
config.d.k == 'v' and config.d.x.y == 2
[1, 2][0]
'abc'[1]
"a" ~ "b" if true else "c"
(1 if true else 2) + 1
1 is divisibleby 1 and true
none is none or 1/0
config['s'].__class__
config.__class__.__name__
config._a
''
' '
'None'
'0'
'[]'
'{}'
'1,2'
'(1,2)'
'1 #c'
"'a' 'b'"
"'a'"
'"a"'
'"""a"b"""'
'u"a"'
'r"a\\n"'
'b"a"'
'1j'
'1+2j'
'{1, 2}'
'{1: 2}'
'[1, [2, {"a": (1,)}]]'
'{"a": null}'
'{"a": None}'
'[true]'
'nan'
'inf'
'2024-01-01'
'2024-10-10'
'1-1'
'--1'
'-1'
'- 1'
'+1'
'-0'
'00'
'0_0'
'1__0'
'1_'
'1.'
'.5'
'1.e5'
'1_0.0_1'
'0xg'
'0b2'
'1a'
'1 2'
'[1 2]'
'[1,,2]'
'[,]'
'(1)'
'()'
'(,)'
'1,'
'[1'
'"a'
"'a\\'b'"
"'\\x41'"
"'\\q'"
'a'
'True '
' True'
'False'
'Truex'
'...'
'[None, True]'
'99999999999999999999'
'-99999999999999999999'
'1e400'
'# c'
'\n1'
'1\n'
'1\n2'
'[1,\n2]'
'[1, # c\n2]'
'{"a": 1, "a": 2}'
'{[]: 1}'
'{"a" 1}'
'{**{}}'
'[*[]]'
'lambda: 1'
'x.y'
'f"a"'
'''.strip("\n").split("\n")

# whole templates
TEMPLATES = [
    "", "plain", "123", " 5", "5 ", "'a'", "[1, 2]", "a\n", "a\n\n", "a\r\nb", "True", "None", "1,2", "{a}", "{ {x} }",
    "{{ config.s }}{{ config.n }}", "{{ config.n }}{{ config.n }}", "{{ config.n }}.{{ config.n }}", "{{config.s}}/x",
    "/v1/{{ parameters.name }}/{{ stream_slice.parent_id }}", " {{ config.n }}", "{{ config.n }} ", "{{ config.n }}\n",
    "[{{ config.n }}, '{{ config.s }}']", "{'a': {{ config.n }}}", "\"{{ config.n }}\"", "'{{ config.num }}'",
    "{{ config.zz }}x", "{{ config.zz }}{{ config.n }}", "{{ config.zz.y }}x", "x{{ 1 + 'a' }}",
    "a {{- config.n }}", "{{ config.n -}} b", "a \n {{- config.n -}} \n b", "{# c #}x", "a{#- c -#} b", "{{ '}}' }}",
    "{{ {'a': {'b': 1}} }}", "{{ {'a': {}}}}", "{{ \"{{\" }}", "{% raw %}{{ x }}{% endraw %}", "a{% raw -%} b {%- endraw %}c",
    "{{ config.s }", "{{ }}", "{{", "{%", "{% if %}", "{{ 1 + }}", "{{ (1 }}", "{{ 'a }}", "{{ a b }}", "{{ 1 2 }}", "}}", "%}",
    "client_secret) }}", "{{ config['s') }}", "{{ config.s | }}", "{{ config.s | zork }}", "{{ 1 is zork }}", "{{ a. }}",
    "{{ config['s' }}", "{{ 007 }}", "{{ 1.2.3 }}", "{{ @ }}", "{{ x = 1 }}", "{{ f(a=1, 2) }}", "{{ f(,) }}", "{{ [1,,2] }}",
    "{% if config.t %}yes{% endif %}", "{% if config.no %}yes{% endif %}", "{% if config.no %}a{% else %}b{% endif %}",
    "{% if config.n > 10 %}a{% elif config.n > 5 %}b{% else %}c{% endif %}", "{% if config.n %}{{ config.n }}{% endif %}",
    "{%- if config.t -%} x {%- endif -%}", "{% if a %}x{% endif %}", "{% if config.t %}", "{% endif %}", "{% else %}",
    "{% if config.t and config.n in [7] %}1{% else %}2{% endif %}", "{% elif %}", "{% zork %}", "{% if config.zz.a %}x{% endif %}",
    "{% for i in config.l %}{{ i }},{% endfor %}", "{% for i in config.l %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for k, v in config.d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in config.d %}{{ k }}{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in config.l if i > 1 %}{{ i }}{% endfor %}",
    "{% for i in config.l %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }};{% endfor %}",
    "{% for i in config.l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "{% for i in 5 %}x{% endfor %}",
    "{% for i in config.zz %}x{% endfor %}", "{% for i in 'abc' %}{{ i }}-{% endfor %}", "{% for i in config.l %}{% endfor %}{{ i }}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [1] %}{{ a }}{% endfor %}",
    "{% for i in config.l %}{% for j in config.l %}{{ i * j }},{% endfor %};{% endfor %}",
    "{% for i in config.l %}{{ loop.index }}{% for j in config.l %}{{ loop.index }}{% endfor %}{% endfor %}",
    "{% set x = 5 %}{{ x }}", "{% set x = 5 %}{{ x + 1 }}", "{% set x = config.s %}{% set y = x ~ '!' %}{{ y }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set x %}abc{{ 1 }}{% endset %}{{ x }}", "{% set x | upper %}abc{% endset %}{{ x }}", "{{ x }}{% set x = 1 %}", "{% set config = 5 %}{{ config }}",
    "{% if config.t %}{% set x = 1 %}{% endif %}{{ x }}", "{% set x = 0 %}{% if config.t %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% if config.t %}{% set x = 1 %}{{ x }}{% endif %}", "{% set x = 0 %}{% for i in config.l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in config.l %}{% set q = i %}{{ q }}{% endfor %}", "{% for i in config.l %}{% if i > 1 %}{% set q = i %}{% endif %}{{ q }}{% endfor %}",
    "{% set ns = namespace(x=0) %}{% for i in config.l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(l=[]) %}{% for i in config.l %}{% set ns.l = ns.l + [i * 2] %}{% endfor %}{{ ns.l }}",
    "{% set d = {} %}{% set d.x = 1 %}{{ d }}", "{% set l = [] %}{% for i in config.l %}{% set _ = l.append(i * 2) %}{% endfor %}{{ l }}",
    "{% set l = [] %}{% for i in config.l %}{{ l.append(i) or '' }}{% endfor %}{{ l | join(',') }}",
    "{% set d = {'a': 1} %}{% set _ = d.update({'b': 2}) %}{{ d }}", "{% set d = {'a': []} %}{% set _ = d.a.append(1) %}{{ d }}",
    "{% set l = [1] %}{% set _ = l.extend([2, 3]) %}{{ l }}", "{% set d = {'a': 1} %}{{ d.pop('a') }}{{ d }}",
    "{{ config.l.append(9) }}{{ config.l }}", "{% set _ = record.update({'x': 1}) %}{{ record.x }}",
    "{% set x = format_datetime(config.date, '%Y-%m-%dT%H:%M:%S%z') %}{% set y = x[:-2] + ':' + x[-2:] %}{{ y }}",
    "{% if 'a' in config %}{{ config.a }}{% else %}{{ config.s }}{% endif %}", "{% set x = config.zz %}{{ x }}", "{% set x = config.zz %}{{ x.y }}",
    "{% for r in config.rows %}{{ r.id }}:{{ r.v.w if r.v else '-' }}{{ ',' if not loop.last }}{% endfor %}",
    "{% macro m() %}{% endmacro %}", "{% include 'x' %}", "{{ config.rows | map(attribute='id') | map('string') | join(';') }}",
    "{{ config.l }}{# #}", "{{ [1, 2] }}{{ '' }}", "{{ config.t }}{{ '' }}", "{{ 1.0 }}{{ '' }}", "{{ none }}{{ '' }}", "{{ config.uni }}!", "{{ [config.uni] }}!",
    "{{ 'a' * 100000000 }}", "{% for i in 'a' * 2000000 %}{% endfor %}",
]


# where the difference is meant
KNOWN = {
    "{{ config.d.items() }}": "a view prints as an object",
    "{{ config.d.keys() }}": "a view prints as an object",
    "{{ config.l|map('string') }}": "an iterator prints as an object",
    "{{ '1e400' }}": "infinity is no JSON",
    "{{ config.l.append(9) }}{{ config.l }}": "values of the scope are never written to",
    "{% macro m() %}{% endmacro %}": "not supported",
    "{% include 'x' %}": "not supported",
    "{{ 'a' * 100000000 }}": "bounded",
    "{% for i in 'a' * 2000000 %}{% endfor %}": "bounded",
}


def in_jsonb_order(value):
    """jsonb keeps keys by length, then bytes: printing a map must see the same order."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: (len(k.encode()), k.encode()))
        return {k: in_jsonb_order(value[k]) for k in keys}
    if isinstance(value, list):
        return [in_jsonb_order(v) for v in value]
    return value


class FixedClock(type(datetime.datetime)):
    def __instancecheck__(cls, instance):
        return isinstance(instance, datetime.datetime)


class FixedDatetime(datetime.datetime, metaclass=FixedClock):
    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz)


FIXED_MODULE = types.SimpleNamespace(
    datetime=FixedDatetime, timezone=datetime.timezone, timedelta=datetime.timedelta, date=datetime.date
)


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k if isinstance(k, str) else json.dumps(k): plain(v) for k, v in value.items()}
    return value


def reference(template, context):
    context = json.loads(json.dumps(context))
    config = context.pop("config")
    context["stream_slice"] = StreamSlice(partition=context["stream_slice"], cursor_slice={})
    try:
        value = plain(JinjaInterpolation().eval(template, config, **context))
        json.dumps(value)
    except TypeError:
        return ("not JSON",)
    except Exception as error:
        return ("error", f"{type(error).__name__}: {error}"[:150])
    return ("value", value)


def ours(templates, context, psql):
    script = f"""
SET lyftron.test_now = '{NOW.isoformat()}';
CREATE FUNCTION pg_temp.attempt(template text, context jsonb) RETURNS jsonb LANGUAGE plpgsql AS $f$
BEGIN
    RETURN jsonb_build_array('value', lyftron.render_template(template, context));
EXCEPTION WHEN OTHERS THEN
    RETURN jsonb_build_array('error', SQLERRM);
END $f$;
SELECT pg_temp.attempt(t, $c${json.dumps(context)}$c$::jsonb)
FROM jsonb_array_elements_text($t${json.dumps(templates)}$t$::jsonb) WITH ORDINALITY a(t, n) ORDER BY n;
"""
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *psql], input=script, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from strings(k)
            yield from strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)


def from_manifests(folder):
    found = set()
    for path in sorted(Path(folder).glob("*.yaml")):
        found.update(s for s in strings(yaml.load(path.read_text(), yaml.CSafeLoader)) if "{{" in s or "{%" in s)
    return sorted(found)


def same(theirs, mine):
    if theirs[0] == "not JSON" or mine[0] != theirs[0]:
        return theirs[0] == "not JSON"
    if theirs[0] == "error":
        return True
    a, b = theirs[1], mine[1]
    if isinstance(a, str) and isinstance(b, str) and "<" in a:
        return a.split("<")[0] == b.split("<")[0] or a == b
    return a == b and (isinstance(a, bool) == isinstance(b, bool))


def main():
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--manifests")
    options, psql = parser.parse_known_args()
    logging.disable(logging.CRITICAL)
    macros.datetime = FIXED_MODULE
    context = in_jsonb_order(CONTEXT)
    templates = ["{{ " + e + " }}" for e in EXPRESSIONS] + TEMPLATES
    if options.manifests:
        templates += from_manifests(options.manifests)
    differences = 0
    for template, mine in zip(templates, ours(templates, context, psql), strict=True):
        theirs = reference(template, context)
        if template not in KNOWN and not same(theirs, mine):
            differences += 1
            print(f"{template!r}\n    reference {theirs!r}\n    here      {mine!r}")
    print(f"{len(templates)} templates, {len(KNOWN)} known differences, {differences} others")
    return differences > 0


if __name__ == "__main__":
    sys.exit(main())
