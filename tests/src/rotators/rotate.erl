#!/usr/bin/env escript
%% Logs the lines of standard input through Erlang's logger: rotate.erl FILE HANDLER COUNT.
%% HANDLER is logger_std_h, gzip for the same with compress_on_rotate, or logger_disk_log_h.
-mode(compile).

main([File, Handler, Count]) ->
    ok = logger:remove_handler(default),
    Common = #{file => File, max_no_bytes => 4096, max_no_files => list_to_integer(Count)},
    {Module, Config} = case Handler of
        "logger_disk_log_h" -> {logger_disk_log_h, Common#{type => wrap}};
        _ -> {logger_std_h, Common#{compress_on_rotate => Handler =:= "gzip"}}
    end,
    Formatter = {logger_formatter, #{template => [msg, "\n"]}},
    ok = logger:add_handler(app, Module, #{config => Config, formatter => Formatter}),
    log_lines(Module),
    ok = logger:remove_handler(app).

log_lines(Module) ->
    case io:get_line("") of
        eof ->
            ok;
        Line ->
            logger:error("~ts", [string:chomp(Line)]),
            ok = Module:filesync(app),
            log_lines(Module)
    end.
