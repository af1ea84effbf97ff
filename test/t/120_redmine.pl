
# A real service: Redmine, as an unprivileged role uses it. Hundreds of issues arrive by an incremental pipeline, and
# of what is made and changed after that each change arrives once, ties and late ones too; a full refresh drops what was
# deleted; streams join each other and local tables; the truth is what Redmine's own database holds.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use HTTP::Tiny;
use JSON::PP;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

if (!-e '/usr/share/redmine')
{
	plan skip_all => $ENV{REDMINE_MISSING} || 'Redmine is not installed (test/run.sh installs it)';
}

my $key = 'a1b2c3d4e5' x 4;
my $dir = PostgreSQL::Test::Utils::tempdir();
my ($port, $redmine) = start_server('redmine.sh', '--dir', $dir, '--key', $key);

# Redmine's API, as a user of it has it
my $agent = HTTP::Tiny->new(default_headers => { 'X-Redmine-API-Key' => $key, 'Content-Type' => 'application/json' }, timeout => 120);

sub api
{
	my ($method, $path, $body) = @_;
	my $answer = $agent->request($method, "http://127.0.0.1:$port$path", { content => defined $body ? encode_json($body) : '' });
	die "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return ($answer->{content} // '') =~ /\S/ ? decode_json($answer->{content}) : undef;
}

# Its database: rows as psql prints them
sub sqlite
{
	my ($sql) = @_;
	my $program = q{
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
for row in db.execute(sys.argv[2]):
    print('|'.join('' if v is None else str(v) for v in row))
};
	open my $out, '-|', 'python3', '-c', $program, "$dir/redmine.db", $sql or die $!;
	my @rows = <$out>;
	close $out or die "failed: $sql";
	chomp @rows;
	return join "\n", @rows;
}

my $node = new_node('main', "timezone = UTC\nlyftron.allowed_hosts = '127.0.0.1'\n");
$node->safe_psql('postgres', 'CREATE ROLE ann LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE work OWNER ann');
my $connect = 'host=' . $node->host . ' port=' . $node->port . ' dbname=work user=ann';
my $complaint;

sub sql
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('work', $sql, connstr => $connect);
	$complaint = $err;
	die "$sql: $err" if $status != 0;
	return $out;
}

sub fails
{
	my ($sql, $pattern, $claim) = @_;
	my ($status, $out, $err) = $node->psql('work', $sql, connstr => $connect);
	isnt($status, 0, "$claim: an error");
	like($err, $pattern, $claim);
	unlike($err, qr/\Q$key\E/, "$claim, without the key");
	return;
}

sub run_pipeline
{
	my ($pipeline) = @_;
	sql("CALL lyftron.run('$pipeline')");
	return sql("SELECT rows_written FROM lyftron.jobs WHERE pipeline = '$pipeline' ORDER BY id DESC LIMIT 1");
}

# What there is to begin with

my @projects = map {
	api('POST', '/projects.json', { project => { name => "Project $_", identifier => "project-$_",
		enabled_module_names => $_ < 3 ? [ 'issue_tracking', 'time_tracking', 'wiki', 'news', 'files' ] : ['issue_tracking'] } })->{project}{id}
} 1 .. 3;
my %user = map {
	$_ => api('POST', '/users.json', { user => { login => $_, firstname => ucfirst $_, lastname => 'Example', mail => "$_\@example.net",
		password => 'long enough 47', status => $_ eq 'carl' ? 3 : 1 } })->{user}{id}
} 'anna', 'bert', 'carl';
my $group = api('POST', '/groups.json', { group => { name => 'Developers', user_ids => [ @user{'anna', 'bert'} ] } })->{group}{id};
api('POST', "/projects/$projects[0]/memberships.json", { membership => { user_id => $group, role_ids => [4] } });
my $version = api('POST', "/projects/$projects[0]/versions.json", { version => { name => '1.0', sharing => 'system', due_date => '2026-12-24' } })->{version}{id};
api('POST', "/projects/$projects[1]/versions.json", { version => { name => '2.0' } });
my $category = api('POST', "/projects/$projects[0]/issue_categories.json", { issue_category => { name => 'Documentation' } })->{issue_category}{id};
api('PUT', "/projects/$projects[0]/wiki/Start.json", { wiki_page => { text => 'h1. Welcome' } });
api('POST', "/projects/$projects[1]/news.json", { news => { title => 'It runs', description => 'At last.' } });

# An issue of which every kind of field varies
sub issue
{
	my ($n) = @_;
	my $project = $n % 3;
	return { issue => { project_id => $projects[$project], tracker_id => 1 + $n % 3, priority_id => 1 + $n % 4,
		subject => "Issue $n: \x{e4}\x{f6} \x{2603}", description => $n % 5 ? "Line 1\r\nLine $n" : '',
		assigned_to_id => $project == 0 && $n % 2 ? $user{anna} : undef, category_id => $project == 0 ? $category : undef,
		fixed_version_id => $n % 4 ? undef : $version, due_date => $n % 7 ? undef : '2027-01-31',
		estimated_hours => $n % 6 ? undef : $n / 8, done_ratio => 10 * ($n % 10),
		custom_fields => [ { id => 1, value => "T-$n" }, { id => 2, value => $n % 2 ? [ 'Linux', 'macOS' ] : [] } ] } };
}

my @issues = map { api('POST', '/issues.json', issue($_))->{issue}{id} } 1 .. 250;
api('POST', "/issues/$issues[3]/relations.json", { relation => { issue_to_id => $issues[9], relation_type => 'blocks' } });
api('POST', '/time_entries.json', { time_entry => { issue_id => $issues[ 3 * $_ - 1 ], hours => $_ / 4, activity_id => 8, comments => "Part $_" } }) for 1 .. 3;

# The role connects

sql('CREATE EXTENSION lyftron');
$node->safe_psql('work', 'GRANT USAGE ON FOREIGN DATA WRAPPER lyftron_rest TO ann');

sub connect_server
{
	my ($server, $secret, $more) = @_;
	sql(qq{
		CREATE SERVER $server FOREIGN DATA WRAPPER lyftron_rest
			OPTIONS (connector 'redmine', config '{"base_url": "http://127.0.0.1:$port"$more}');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (secrets '{"api_key": "$secret"}');
		CREATE SCHEMA $server;
		IMPORT FOREIGN SCHEMA "default" FROM SERVER $server INTO $server;});
	return;
}

connect_server('rm', $key, '');
sql('CREATE SCHEMA raw');
is(sql(q{SELECT ok, message FROM lyftron.check('rm')}), 't|connected, records can be read', 'check');
is(sql(q{SELECT count(*), bool_and(ready) FROM lyftron.streams('redmine')}), '22|t', 'all streams are ready');

connect_server('unknown', '0' x 40, '');
like(sql(q{SELECT ok, message FROM lyftron.check('unknown')}), qr/^f\|.*Redmine does not know the API key/, 'check knows an invalid key');
fails('SELECT * FROM unknown.issues', qr/Redmine does not know the API key/, 'an invalid key is an error, though Redmine has answers for anybody');

# All streams, against Redmine's tables

my %truth = (
	projects => 'SELECT count(*) FROM projects',
	issues => 'SELECT count(*) FROM issues',
	time_entries => 'SELECT count(*) FROM time_entries',
	users => q{SELECT count(*) FROM users WHERE type = 'User'},
	current_user => 'SELECT 1',
	groups => q{SELECT count(*) FROM users WHERE type = 'Group'},
	group_users => 'SELECT count(*) FROM groups_users',
	versions => 'SELECT count(*) FROM versions',
	issue_categories => 'SELECT count(*) FROM issue_categories',
	memberships => 'SELECT count(*) FROM members',
	wiki_pages => 'SELECT count(*) FROM wiki_pages',
	files => 'SELECT 0',
	news => 'SELECT count(*) FROM news',
	queries => q{SELECT count(*) FROM queries WHERE type = 'IssueQuery'},
	trackers => 'SELECT count(*) FROM trackers',
	issue_statuses => 'SELECT count(*) FROM issue_statuses',
	issue_priorities => q{SELECT count(*) FROM enumerations WHERE type = 'IssuePriority'},
	time_entry_activities => q{SELECT count(*) FROM enumerations WHERE type = 'TimeEntryActivity'},
	document_categories => q{SELECT count(*) FROM enumerations WHERE type = 'DocumentCategory'},
	roles => 'SELECT count(*) FROM roles WHERE builtin = 0',
	custom_fields => 'SELECT count(*) FROM custom_fields');
is(sql("SELECT count(*) FROM rm.$_"), sqlite($truth{$_}), "$_: as many as Redmine has") for sort keys %truth;
is(sql('SELECT id, login, status FROM rm.users ORDER BY id'),
	sqlite(q{SELECT id, login, status FROM users WHERE type = 'User' ORDER BY id}), 'users, the locked one too');
is(sql('SELECT id, project_id, name, sharing FROM rm.versions ORDER BY id'),
	sqlite('SELECT id, project_id, name, sharing FROM versions ORDER BY id'), 'a version that projects share is there once');
is(sql('SELECT group_id, id FROM rm.group_users ORDER BY id'),
	sqlite('SELECT group_id, user_id FROM groups_users ORDER BY user_id'), 'who is in a group');
is(sql(q{SELECT count(*) FROM rm.roles WHERE permissions ? 'view_issues'}), '3', 'roles with their permissions');
unlike(sql(q{SELECT string_agg(record::text, '') FROM lyftron.read('rm', 'current_user')}), qr/\Q$key\E/,
	'the key that Redmine shows its user goes into no table');

# Questions become requests

sub requests { my ($plan) = @_; return $plan =~ /Requests: (\d+)/ ? $1 : undef; }

my $plan = sql("EXPLAIN (ANALYZE, COSTS off) SELECT * FROM rm.versions WHERE project_id = $projects[0]");
like($plan, qr{Request: GET http://127\.0\.0\.1:$port/projects/\{project_id\}/versions\.json}, 'EXPLAIN shows what is asked of each project');
is(requests($plan), 4, 'one project: the list of projects, its versions, and for each of the two who asks');
$plan = sql(q{EXPLAIN (ANALYZE, COSTS off) SELECT * FROM rm.issues WHERE updated_on > now() + interval '30 s'});
is(requests($plan), 2, 'a range of the cursor, which the request has in an expression');
is(sql('SELECT count(*) FROM rm.wiki_pages WHERE project_id = ' . $projects[2]), '0', 'a project without a wiki has no pages, and is no error');

# A join of two streams with a local table

sql(q{CREATE TABLE team (identifier text, team text); INSERT INTO team VALUES ('project-1', 'red'), ('project-2', 'red'), ('project-3', 'blue')});
is(sql(q{SELECT t.team, u.login, count(*), sum(i.done_ratio) FROM rm.issues i
	JOIN rm.projects p ON p.id = (i.project->>'id')::bigint
	JOIN rm.users u ON u.id = (i.author->>'id')::bigint
	JOIN team t USING (identifier) GROUP BY 1, 2 ORDER BY 1}),
	sqlite(q{SELECT CASE p.identifier WHEN 'project-3' THEN 'blue' ELSE 'red' END t, u.login, count(*), sum(i.done_ratio) FROM issues i
		JOIN projects p ON p.id = i.project_id JOIN users u ON u.id = i.author_id GROUP BY 1, 2 ORDER BY 1}),
	'a join of streams and a local table');

# Load

sql(q{
	SELECT lyftron.create_pipeline('issues', source => 'rm.issues', destination => 'raw.issues', mode => 'incremental', nested => 'flatten');
	SELECT lyftron.create_pipeline('all', source => 'rm.issues', destination => 'raw.all_issues', nested => 'normalize');
	SELECT lyftron.create_pipeline('time', source => 'rm.time_entries', destination => 'raw.time_entries', mode => 'incremental');});

# A table of issues holds what Redmine's does, each once
sub same_issues
{
	my ($table, $claim) = @_;
	my $columns = q{id, project_id, tracker_id, status_id, priority_id, author_id, assigned_to_id, category_id, fixed_version_id,
		subject, %s, start_date, due_date, done_ratio, %s, %s, %s};
	is(sql(sprintf("SELECT $columns FROM $table ORDER BY id", q{length(description)}, 'trim_scale(estimated_hours)',
			map { "to_char($_ AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')" } 'created_on', 'updated_on')),
		sqlite(sprintf("SELECT $columns FROM issues ORDER BY id",
			q{CASE description WHEN '' THEN 0 ELSE length(description) END}, q{printf('%g', estimated_hours)},
			map { "substr($_, 1, 19)" } 'created_on', 'updated_on') =~ s/printf\('%g', (\w+)\)/CASE WHEN $1 IS NULL THEN NULL ELSE printf('%g', $1) END/r),
		"$claim: every issue and column as Redmine has it");
	return;
}

is(run_pipeline('issues'), '250', 'the first run loads all issues');
same_issues('raw.issues', 'first run');
is(sql(q{SELECT requests FROM lyftron.jobs WHERE pipeline = 'issues'}), '4', 'in three pages, once it is known who asks');
is(run_pipeline('time'), '3', 'and the time entries');

# Made and changed

my @new = map { api('POST', '/issues.json', issue($_))->{issue}{id} } 251 .. 280;
my @changed = @issues[ map { 5 * $_ } 0 .. 39 ];
api('PUT', "/issues/$_.json", { issue => { subject => "Changed $_", status_id => 5, notes => "because of $_" } }) for @changed;
api('POST', '/time_entries.json', { time_entry => { issue_id => $issues[5], hours => 2, activity_id => 8 } });
is(run_pipeline('issues'), '70', 'the second run writes the 30 new ones and the 40 changed ones');
same_issues('raw.issues', 'second run');
is(sql(q{SELECT count(*) FROM raw.issues WHERE status_is_closed}), '40', 'objects are columns');
is(run_pipeline('time'), '1', 'one new time entry');

# One that changed within the second of the last change that was seen, and one whose change shows a minute late
my ($last) = sqlite('SELECT max(updated_on) FROM issues');
sqlite(qq{UPDATE issues SET subject = 'within the same second', updated_on = substr('$last', 1, 19) || '.999999' WHERE id = $issues[1]});
sqlite(qq{UPDATE issues SET subject = 'seen late', updated_on = strftime('%Y-%m-%d %H:%M:%f', '$last', '-60 seconds') WHERE id = $issues[2]});
push @new, map { api('POST', '/issues.json', issue($_))->{issue}{id} } 281 .. 285;
is(run_pipeline('issues'), '7', 'the third run: five new ones, one of the same second, one that was late');
same_issues('raw.issues', 'third run');
is(run_pipeline('issues'), '0', 'nothing is new: nothing is written');
is(sql('SELECT count(*), count(DISTINCT id), count(DISTINCT _lyftron_id) FROM raw.issues'), '285|285|285', 'each issue is there once');
like(sql(q{SELECT lyftron.state_json('issues')}), qr/^\{"updated_on": "20[^"]+Z"\}$/, 'the state is the last change');

# While pages are being read, an issue of a page before is deleted and one of a page after is changed
my $session = $node->background_psql('work', extra_params => [ '-d', $connect ]);
$session->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT id FROM rm.issues');
my @read = split /\n/, $session->query_safe('FETCH 10 FROM c');
api('DELETE', "/issues/$issues[4].json");
api('PUT', "/issues/$issues[150].json", { issue => { notes => 'changed while it is read' } });
push @read, split /\n/, $session->query_safe('FETCH ALL FROM c');
$session->query_safe('COMMIT');
$session->quit;
is(join(',', @read), join(',', @issues, @new), 'others change and delete issues while pages are read: none is passed over or there twice');

# A full refresh

sql("CREATE TABLE raw.before (oid oid)");
run_pipeline('all');
sql(q{INSERT INTO raw.before SELECT 'raw.all_issues'::regclass});
api('DELETE', "/issues/$_.json") for @issues[ 10 .. 12 ];
is(run_pipeline('all'), '281', 'a full refresh');
same_issues('raw.all_issues', 'full refresh: what was deleted is gone');
is(sql(q{SELECT 'raw.all_issues'::regclass::oid = oid FROM raw.before}), 't', 'in the same table');
is(sql('SELECT count(*) FROM raw.issues'), '285', 'an incremental table keeps what was deleted');

# Lists in tables of their own
my $values = sqlite(q{SELECT customized_id, custom_field_id, value FROM custom_values WHERE customized_type = 'Issue' AND value <> ''
	ORDER BY 1, 2, 3});
is(sql(q{SELECT p.id, f.id, v.value FROM raw.all_issues p
	JOIN raw.all_issues__custom_fields f ON f._lyftron_parent_id = p._lyftron_id,
	LATERAL (SELECT f.value #>> '{}' WHERE jsonb_typeof(f.value) = 'string'
		UNION ALL SELECT e FROM jsonb_array_elements_text(CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value END) e) v (value)
	WHERE v.value <> '' ORDER BY 1, 2, v.value COLLATE "C"}), $values, 'custom fields, one value or several, in their own table');
is(sql(q{SELECT p.id, r.issue_to_id, r.relation_type FROM raw.all_issues p
	JOIN raw.all_issues__relations r ON r._lyftron_parent_id = p._lyftron_id AND r.issue_id = p.id}),
	sqlite('SELECT issue_from_id, issue_to_id, relation_type FROM issue_relations'), 'relations, too');

# Journals: a stream of its own for each issue, asked for issues that changed only
my $since = sqlite(qq{SELECT strftime('%Y-%m-%dT%H:%M:%SZ', updated_on) FROM issues WHERE id = $changed[0]});
connect_server('late', $key, qq{, "start_date": "$since"});
sql(q{SELECT lyftron.create_pipeline('journals', source => 'late.issue_journals', destination => 'raw.journals', mode => 'incremental')});
run_pipeline('journals');
my @journals = (q{SELECT id, issue_id, "user"->>'id', notes FROM raw.journals ORDER BY id},
	qq{SELECT j.id, i.id, j.user_id, j.notes FROM journals j JOIN issues i ON i.id = j.journalized_id
		WHERE datetime(i.updated_on) >= datetime('$since') ORDER BY j.id});
is(sql($journals[0]), sqlite($journals[1]), 'what was said about issues that changed since');
api('PUT', "/issues/$_.json", { issue => { notes => 'once more' } }) for @issues[ 30, 40 ];
is(run_pipeline('journals'), '4', 'two more notes: the two issues are asked for theirs');
is(sql($journals[0]), sqlite($journals[1]), 'and each is there once');

# Somebody who is no administrator

my $limited = api('GET', "/users/$user{anna}.json")->{user}{api_key};
connect_server('anna', $limited, '');
is(sql(q{SELECT ok FROM lyftron.check('anna')}), 't', 'another user connects');
is(sql('SELECT login FROM anna.current_user'), 'anna', 'and is known');
fails('SELECT * FROM anna.users', qr/the user of the API key may not see this; users, groups and custom fields need an administrator/,
	'what only administrators may see');
is(sql('SELECT count(*) FROM anna.issues'), '281', 'the others they read');

# Redmine goes away

my $rows = sql('SELECT count(*) FROM raw.all_issues');
kill 'KILL', $redmine;
waitpid $redmine, 0;
fails(q{SET lyftron.connect_timeout = '1s'; SET lyftron.max_retry_wait = '1s'; CALL lyftron.run('all')}, qr/could not connect to http:/, 'a run without Redmine');
is(sql('SELECT count(*) FROM raw.all_issues'), $rows, 'leaves the table as it was');
is(sql('SELECT count(*) FROM lyftron.rejected_records'), '0', 'and no record was ever rejected');

done_testing();
