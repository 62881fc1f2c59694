//! The daemons, their configurations and their messages. Rows of ERRORS run on a port that is
//! taken.

/// A daemon and how it is run. Its own log is `{dir}/own.log`; what it prints is read as well.
pub struct Row {
    pub name: &'static str,
    pub program: &'static str,
    pub args: &'static [&'static str],
    /// The text of `{dir}/config`.
    pub config: &'static str,
    pub ready: Ready,
    /// The sign that it is up again after SIGHUP. None: it takes no such signal.
    pub reloads: Option<Ready>,
    /// The format of programs that name no severity.
    pub format: Option<&'static str>,
    pub provoked: Option<Provoked>,
}

/// The sign that a daemon is up.
#[derive(Clone, Copy)]
pub enum Ready {
    Port,
    Text(&'static str),
}

/// The record that must be there, once, and the count of all records.
#[derive(Clone, Copy)]
pub struct Provoked {
    pub level: &'static str,
    pub message: &'static str,
    /// The daemon writes a time.
    pub timed: bool,
    pub count: u32,
}

const fn error(level: &'static str, message: &'static str, timed: bool, count: u32) -> Option<Provoked> {
    Some(Provoked {
        level,
        message,
        timed,
        count,
    })
}

const BASE: Row = Row {
    name: "",
    program: "",
    args: &[],
    config: "",
    ready: Ready::Port,
    reloads: None,
    format: None,
    provoked: None,
};

const REDIS: Row = Row {
    name: "redis",
    program: "usr/bin/redis-server",
    args: &["{dir}/config"],
    config: "port {port}\nbind 127.0.0.1\ndir {dir}\nlogfile {dir}/own.log\nsave \"\"\n",
    ..BASE
};

const NGINX: Row = Row {
    name: "nginx",
    program: "usr/sbin/nginx",
    args: &["-c", "{dir}/config", "-e", "{dir}/own.log"],
    config: "daemon off; error_log {dir}/own.log notice; pid {dir}/pid; events {}\n\
             http { access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;\n\
             uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e; server { listen 127.0.0.1:{port}; } }\n",
    reloads: Some(Ready::Port),
    ..BASE
};

const LIGHTTPD: Row = Row {
    name: "lighttpd",
    program: "usr/sbin/lighttpd",
    args: &["-D", "-f", "{dir}/config", "-m", "{tree}/usr/lib/lighttpd"],
    config: "server.document-root = \"{dir}\"\nserver.port = {port}\nserver.bind = \"127.0.0.1\"\n\
             server.errorlog = \"{dir}/own.log\"\n",
    format: Some("lighttpd"),
    ..BASE
};

const HAPROXY: Row = Row {
    name: "haproxy",
    program: "usr/sbin/haproxy",
    args: &["-f", "{dir}/config"],
    config: "global\ndefaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n\
             frontend web\n bind 127.0.0.1:{port}\n",
    ..BASE
};

const MOSQUITTO: Row = Row {
    name: "mosquitto",
    program: "usr/sbin/mosquitto",
    args: &["-c", "{dir}/config"],
    config: "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nlog_dest file {dir}/own.log\n",
    reloads: Some(Ready::Port),
    ..BASE
};

const UNBOUND: Row = Row {
    name: "unbound",
    program: "usr/sbin/unbound",
    args: &["-d", "-c", "{dir}/config"],
    config: "server:\n interface: 127.0.0.1\n port: {port}\n chroot: \"\"\n username: \"\"\n directory: \"{dir}\"\n \
             pidfile: \"{dir}/pid\"\n use-syslog: no\n do-daemonize: no\nremote-control:\n control-enable: no\n",
    reloads: Some(Ready::Port),
    ..BASE
};

const NSD: Row = Row {
    name: "nsd",
    program: "usr/sbin/nsd",
    args: &["-d", "-c", "{dir}/config"],
    config: "server:\n ip-address: 127.0.0.1\n port: {port}\n username: \"\"\n zonesdir: \"{dir}\"\n database: \"\"\n \
             pidfile: \"{dir}/pid\"\n logfile: \"{dir}/own.log\"\n xfrdfile: \"{dir}/xfrd\"\n zonelistfile: \"{dir}/zones\"\n \
             xfrdir: \"{dir}\"\nremote-control:\n control-enable: no\n",
    ready: Ready::Text("nsd started"),
    ..BASE
};

const PRIVOXY: Row = Row {
    name: "privoxy",
    program: "usr/sbin/privoxy",
    args: &["--no-daemon", "{dir}/config"],
    config: "listen-address 127.0.0.1:{port}\nlogdir {dir}\nlogfile own.log\ndebug 4096\ndebug 8192\n",
    ..BASE
};

const TOR: Row = Row {
    name: "tor",
    program: "usr/sbin/tor",
    args: &["-f", "{dir}/config", "--defaults-torrc", "/dev/null"],
    config: "SocksPort 0\nControlPort 127.0.0.1:{port}\nDataDirectory {dir}/data\nLog notice file {dir}/own.log\nDisableNetwork 1\n",
    ..BASE
};

const PROFTPD: Row = Row {
    name: "proftpd",
    program: "usr/sbin/proftpd",
    args: &["-n", "-c", "{dir}/config"],
    config: "ServerName x\nServerType standalone\nDefaultAddress 127.0.0.1\nSocketBindTight on\nPort {port}\nUser nobody\n\
             Group nogroup\nSystemLog {dir}/own.log\nPidFile {dir}/pid\nScoreboardFile none\nAuthOrder mod_auth_unix.c\n\
             UseIPv6 off\nDelayEngine off\n",
    ..BASE
};

const CHRONYD: Row = Row {
    name: "chronyd",
    program: "usr/sbin/chronyd",
    args: &["-x", "-d", "-U", "-u", "root", "-f", "{dir}/config"],
    config: "port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal\ncmdport 0\nbindcmdaddress /\npidfile {dir}/pid\n",
    ready: Ready::Text("chronyd version"),
    ..BASE
};

pub const ERRORS: &[Row] = &[
    Row {
        provoked: error("FATAL", "Failed listening on port", true, 1),
        ..REDIS
    },
    Row {
        provoked: error("FATAL", "still could not bind()", true, 12),
        args: &["-c", "{dir}/config", "-e", "{dir}/own.log"],
        ..NGINX
    },
    Row {
        provoked: error("ERROR", "bind to socket: 127.0.0.1", true, 1),
        ..LIGHTTPD
    },
    Row {
        provoked: error("FATAL", "cannot bind socket (Address already in use)", false, 2),
        ..HAPROXY
    },
    Row {
        provoked: error("ERROR", "Address already in use", true, 1),
        ..MOSQUITTO
    },
    Row {
        provoked: error("FATAL", "could not open ports", true, 2),
        ..UNBOUND
    },
    Row {
        provoked: error("ERROR", "bind udp socket 127.0.0.1", true, 2),
        ..NSD
    },
    Row {
        provoked: error("FATAL", "bind to 127.0.0.1:", true, 1),
        ..PRIVOXY
    },
    Row {
        config: "Nonsense 1\nLog notice file {dir}/own.log\n",
        provoked: error("ERROR", "Reading config failed", true, 1),
        ..TOR
    },
    Row {
        config: "Nonsense on\n",
        provoked: error("FATAL", "unknown configuration directive", true, 1),
        ..PROFTPD
    },
    Row {
        config: "nonsense\n",
        provoked: error("FATAL", "Invalid directive at line 1", true, 1),
        ..CHRONYD
    },
];

/// Two are not among them, because they sometimes write an error when they are stopped early: Tor
/// 0.4.9.11 an assertion that failed, NSD 4.6.1 a broken pipe.
pub const QUIET: &[Row] = &[
    REDIS,
    NGINX,
    LIGHTTPD,
    HAPROXY,
    MOSQUITTO,
    UNBOUND,
    PRIVOXY,
    PROFTPD,
    CHRONYD,
    Row {
        name: "memcached",
        program: "usr/bin/memcached",
        args: &["-u", "nobody", "-l", "127.0.0.1", "-p", "{port}", "-v"],
        ..BASE
    },
    Row {
        name: "apache2",
        program: "usr/sbin/apache2",
        args: &["-D", "FOREGROUND", "-f", "{dir}/config"],
        config: "ServerRoot {dir}\nUser nobody\nGroup nogroup\nServerName localhost\nListen 127.0.0.1:{port}\nErrorLog {dir}/own.log\nPidFile {dir}/pid\n\
                 LoadModule mpm_event_module {tree}/usr/lib/apache2/modules/mod_mpm_event.so\n\
                 LoadModule authz_core_module {tree}/usr/lib/apache2/modules/mod_authz_core.so\nDefaultRuntimeDir {dir}\n",
        ready: Ready::Text("resuming normal operations"),
        reloads: Some(Ready::Text("resuming normal operations")),
        ..BASE
    },
    Row {
        name: "stunnel",
        program: "usr/bin/stunnel4",
        args: &["{dir}/config"],
        config: "foreground = yes\npid = {dir}/pid\noutput = {dir}/own.log\nsyslog = no\n[x]\nclient = yes\n\
                 accept = 127.0.0.1:{port}\nconnect = 127.0.0.1:9\nCApath = /etc/ssl/certs\n",
        // A connection would be one to nowhere, which it reports.
        reloads: Some(Ready::Text("Configuration successful")),
        ready: Ready::Text("Configuration successful"),
        ..BASE
    },
    Row {
        name: "ngircd",
        program: "usr/sbin/ngircd",
        args: &["-n", "-f", "{dir}/config"],
        config: "[Global]\n Name = irc.example.org\n Info = x\n Listen = 127.0.0.1\n Ports = {port}\n\
                 AdminEMail = a@example.org\n MotdPhrase = hello\n[Options]\n PAM = no\n Ident = no\n DNS = no\n",
        reloads: Some(Ready::Port),
        ..BASE
    },
    Row {
        name: "vsftpd",
        program: "usr/sbin/vsftpd",
        args: &["{dir}/config"],
        config: "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nxferlog_enable=YES\n\
                 vsftpd_log_file={dir}/own.log\nsecure_chroot_dir={dir}\n",
        ..BASE
    },
    Row {
        name: "beanstalkd",
        program: "usr/bin/beanstalkd",
        args: &["-l", "127.0.0.1", "-p", "{port}", "-V"],
        ..BASE
    },
    Row {
        name: "dnsmasq",
        program: "usr/sbin/dnsmasq",
        args: &["-k", "-C", "{dir}/config"],
        config: "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlog-queries\n\
                 log-facility={dir}/own.log\nuser=root\npid-file={dir}/pid\n",
        reloads: Some(Ready::Port),
        ..BASE
    },
    Row {
        name: "tinyproxy",
        program: "usr/bin/tinyproxy",
        args: &["-d", "-c", "{dir}/config"],
        config: "Port {port}\nListen 127.0.0.1\nLogFile \"{dir}/own.log\"\nLogLevel Info\nPidFile \"{dir}/pid\"\n",
        // A connection without a request is an error to it, and SIGHUP ends it in the foreground.
        ready: Ready::Text("Accepting connections"),
        ..BASE
    },
    Row {
        name: "mini_httpd",
        program: "usr/sbin/mini_httpd",
        args: &[
            "-D",
            "-h",
            "127.0.0.1",
            "-p",
            "{port}",
            "-d",
            "{dir}",
            "-u",
            "nobody",
        ],
        ..BASE
    },
    Row {
        name: "monit",
        program: "usr/bin/monit",
        args: &["-I", "-c", "{dir}/config", "-s", "{dir}/state", "-p", "{dir}/pid"],
        config: "set daemon 30\nset log {dir}/own.log\nset idfile {dir}/id\nset httpd port {port} address 127.0.0.1\n \
                 allow localhost\n",
        ..BASE
    },
    Row {
        name: "rsyslogd",
        program: "/usr/sbin/rsyslogd",
        args: &["-n", "-f", "{dir}/config", "-i", "{dir}/pid"],
        config: "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n*.* {dir}/own.log\n",
        reloads: Some(Ready::Port),
        ..BASE
    },
];
