
# A private MySQL 9, as LyftronMysql has a MariaDB.  Its programs are in the folder that LYFTRON_MYSQL9 names.
package LyftronMysql9;

use strict;
use warnings FATAL => 'all';
use parent 'LyftronMysql';

# why there is none, or undef
sub missing
{
	return undef if ($ENV{LYFTRON_MYSQL9} // '') ne '';
	return $ENV{LYFTRON_MYSQL9_MISSING} || 'LYFTRON_MYSQL9 does not say where MySQL 9 is';
}

sub program
{
	my ($name) = @_;
	return "$ENV{LYFTRON_MYSQL9}/bin/$name";
}

sub install
{
	my ($self) = @_;
	$self->run_program(program('mysqld'), '--no-defaults', '--initialize-insecure', '--datadir=' . $self->data,
		'--innodb-redo-log-capacity=16M');
	return;
}

sub command
{
	my ($self) = @_;
	return (program('mysqld'), $self->options, '--mysqlx=0', '--skip-log-bin', '--performance-schema=0',
		'--innodb-redo-log-capacity=16M', '--innodb-buffer-pool-size=32M', '--innodb-flush-log-at-trx-commit=2');
}

sub client { return program('mysql'); }

1;
