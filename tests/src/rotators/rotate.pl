# Logs the lines of standard input through Log::Dispatch::FileRotate: rotate.pl FILE NAME=VALUE…
use strict;
use warnings;
use Log::Dispatch::FileRotate;

my ($file, @options) = @ARGV;
my $log = Log::Dispatch::FileRotate->new(
    name      => 'app',
    min_level => 'error',
    filename  => $file,
    mode      => 'append',
    map { split /=/, $_, 2 } @options,
);
while (my $line = <STDIN>) {
    $log->log(level => 'error', message => $line);
}
