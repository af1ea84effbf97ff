
# A private MariaDB for a test, as the user that runs it: its data, socket and port are its own, and it ends with the test.
#
#     my $mysql = LyftronMysql->new;                   # started, with a database "shop" and the user "ann", password "secret"
#     $mysql->sql('CREATE TABLE shop.t (id int)');     # as its administrator; what it prints, tabs between the fields
#     $mysql->connect_node($node, 'my');               # as a foreign server, with a user mapping for the current user
#
# Another server's class says in `install`, `command` and `client` which programs are run.
package LyftronMysql;

use strict;
use warnings FATAL => 'all';
use File::Temp;
use IO::Socket::INET;
use IPC::Run;
use LyftronTest qw(free_port start_server wait_until);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

my @servers;

END
{
	my $status = $?;
	$_->stop('KILL') for @servers;
	$? = $status;
}

# options: more of them for the server's command line
sub new
{
	my ($class, %args) = @_;
	my $self = bless {
		dir => File::Temp->newdir('lyftron-mysql-XXXXXX', TMPDIR => 1),
		port => free_port(),
		options => $args{options} // [],
		database => 'shop', user => 'ann', password => 'secret'
	}, $class;
	push @servers, $self;
	$self->install;
	$self->start;
	$self->sql("CREATE DATABASE $self->{database} CHARACTER SET utf8mb4");
	for my $host ('localhost', '%')
	{
		$self->sql("CREATE USER '$self->{user}'\@'$host' IDENTIFIED BY '$self->{password}'");
		$self->sql("GRANT ALL ON *.* TO '$self->{user}'\@'$host'");
	}
	return $self;
}

sub port { my ($self) = @_; return $self->{port}; }
sub socket { my ($self) = @_; return "$self->{dir}/socket"; }
sub data { my ($self) = @_; return "$self->{dir}/data"; }
sub log { my ($self) = @_; return slurp_file("$self->{dir}/log"); }

# the folder with the data of a new server, whose administrator is root without a password
sub install
{
	my ($self) = @_;
	$self->run_program('mariadb-install-db', '--no-defaults', '--datadir=' . $self->data,
		'--auth-root-authentication-method=normal', '--skip-test-db');
	return;
}

# the server's program and its options
sub command
{
	my ($self) = @_;
	return ('/usr/sbin/mariadbd', $self->options, '--skip-name-resolve', '--innodb-flush-log-at-trx-commit=2');
}

# a client's program that reads SQL
sub client { return 'mariadb'; }

# options that every server of this family takes
sub options
{
	my ($self) = @_;
	return ('--no-defaults', '--datadir=' . $self->data, '--socket=' . $self->socket, '--port=' . $self->port,
		'--bind-address=127.0.0.1', "--pid-file=$self->{dir}/pid", "--log-error=$self->{dir}/log",
		"--tmpdir=$self->{dir}", @{ $self->{options} });
}

sub run_program
{
	my ($self, @command) = @_;
	my $out = '';
	IPC::Run::run(\@command, '<', \undef, '>&', \$out) or die "@command: $out";
	return $out;
}

sub start
{
	my ($self) = @_;
	my @command = $self->command;
	$self->{process} = IPC::Run::start(\@command, '<', \undef, '>', '/dev/null', '2>', "$self->{dir}/output");
	wait_until(60, sub { $self->answers }) or die "$command[0] does not start: " . $self->log;
	return;
}

sub answers
{
	my ($self) = @_;
	return IPC::Run::run([ $self->client, '--no-defaults', '-S', $self->socket, '-u', 'root', '-e', 'SELECT 1' ],
		'<', \undef, '>&', '/dev/null');
}

# Stop it and wait; by TERM it ends in order, by KILL as in a crash.
sub stop
{
	my ($self, $signal) = @_;
	return unless defined $self->{process};
	$self->{process}->signal($signal // 'TERM');
	eval { $self->{process}->finish };
	delete $self->{process};
	return;
}

sub restart
{
	my ($self, $signal) = @_;
	$self->stop($signal);
	$self->start;
	return;
}

# hold it, and let it go on
sub pause { my ($self) = @_; $self->{process}->signal('STOP'); return; }
sub go_on { my ($self) = @_; $self->{process}->signal('CONT'); return; }

# run SQL as its administrator, in the test's database
sub sql
{
	my ($self, $sql) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ $self->client, '--no-defaults', '--default-character-set=utf8mb4', '-S', $self->socket, '-u', 'root', '-BN',
			$sql =~ /^CREATE (DATABASE|USER)|^GRANT/ ? () : $self->{database} ],
		'<', \$sql, '>', \$out, '2>', \$err) or die "$sql: $err";
	chomp $out;
	return $out;
}

# how many sessions of the test's user the server has, or how many of them run a query like this
sub sessions
{
	my ($self, $like) = @_;
	my $and = defined $like ? "AND info LIKE '$like'" : '';
	return $self->sql("SELECT count(*) FROM information_schema.processlist WHERE user = '$self->{user}' $and");
}

# How many transactions it has open.  It looks anew only if nobody has asked for a tenth of a second.
sub transactions
{
	my ($self, $where) = @_;
	my $sql = 'DO sleep(0.2); SELECT count(*) FROM information_schema.innodb_trx';
	return $self->sql(defined $where ? "$sql WHERE $where" : $sql);
}

# Make it a foreign server of the node's database postgres, with a mapping for the current user.  options: more of the server's.
sub connect_node
{
	my ($self, $node, $name, %args) = @_;
	my $port = $args{port} // $self->port;
	my $options = defined $args{options} ? ", $args{options}" : '';
	my $password = $args{password} // $self->{password};
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_mysql
			OPTIONS (host '127.0.0.1', port '$port', database '$self->{database}'$options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (username '$self->{user}', password '$password');});
	return;
}

# A proxy in front of it (test/server/mysql_proxy.py): its port, and a function that says what harm it does.
sub start_proxy
{
	my ($self) = @_;
	my $control = free_port();
	my $port = start_server('mysql_proxy.py', '--to', '127.0.0.1:' . $self->port, '--control', $control);
	my $say = sub {
		my ($command) = @_;
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $control) or die $!;
		print $socket "$command\n";
		my $answer = <$socket>;
		chomp $answer;
		return $answer;
	};
	return ($port, $say);
}

1;
