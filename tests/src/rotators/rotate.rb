# Logs the lines of standard input through Ruby's Logger: rotate.rb FILE AGE [SIZE].
# AGE is the number of files that are kept, or the seconds of a period (1s).

require 'logger'

file, age, size = ARGV
if age.end_with?('s')
  # A day is the shortest period of Logger. This one is as long as it says.
  seconds = age.to_i
  period = Module.new do
    define_method(:next_rotate_time) { |now, _age| Time.at((now.to_i / seconds + 1) * seconds) }
    define_method(:previous_period_end) { |now, _age| Time.at(now.to_i / seconds * seconds - 1) }
  end
  Logger::LogDevice.prepend(period)
  log = Logger.new(file, 'daily', shift_period_suffix: '%Y%m%d-%H%M%S')
else
  log = Logger.new(file, age.to_i, size.to_i)
end
log.formatter = proc { |_severity, _time, _program, message| "#{message}\n" }
$stdin.each_line(chomp: true) { |line| log.error(line) }
log.close
