//! The real programs that the scenarios drive, with their versions: those that `install_missing.sh
//! test` has installed or unpacked. `make test` prints the list at its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use logwatch_tests::programs;

/// Where a program comes from.
enum From {
    /// A Debian package that is unpacked in this folder of `target/`.
    Unpacked(&'static str),
    /// A program in this folder of `target/` that prints its version with this option: its package
    /// has no changelog of its own.
    Program(&'static str, &'static str),
    /// A Debian package of the machine. The test is skipped without it.
    Machine,
    /// PyPI, in this folder of `target/python/`.
    Python(&'static str),
    /// The npm registry, in this folder of `target/node/`.
    Node(&'static str),
}
use From::{Machine, Node, Program, Python, Unpacked};

/// The kinds of programs, where they come from, and their packages.
const PROGRAMS: [(&str, From, &[&str]); 16] = [
    (
        "daemons",
        Unpacked("daemons"),
        &[
            "redis-server",
            "nginx",
            "lighttpd",
            "haproxy",
            "mosquitto",
            "unbound",
            "nsd",
            "privoxy",
            "tor",
            "proftpd-core",
            "chrony",
            "memcached",
            "apache2-bin",
            "stunnel4",
            "ngircd",
            "vsftpd",
            "beanstalkd",
            "dnsmasq-base",
            "tinyproxy-bin",
            "mini-httpd",
            "monit",
        ],
    ),
    (
        "rotators",
        Unpacked("rotators"),
        &[
            "daemontools",
            "runit",
            "s6",
            "apache2-utils",
            "cronolog",
            "python3-concurrent-log-handler",
            "liblog4j2-java",
            "liblogback-java",
        ],
    ),
    ("rotators", Machine, &["logrotate", "debianutils", "python3"]),
    ("rotators", Unpacked("ruby"), &["ruby3.1"]),
    ("rotators", Unpacked("perl"), &["liblog-dispatch-filerotate-perl"]),
    ("rotators", Unpacked("erlang"), &["erlang-base"]),
    (
        "rotators",
        Unpacked("go"),
        &["golang-gopkg-natefinch-lumberjack.v2-dev"],
    ),
    ("rotators", Python("rotators"), &["loguru", "twisted"]),
    (
        "rotators",
        Node("rotators"),
        &[
            "winston",
            "winston-daily-rotate-file",
            "rotating-file-stream",
            "pino-roll",
            "log4js",
            "bunyan",
        ],
    ),
    (
        "mail servers",
        Unpacked("mail-servers"),
        &["exim4-daemon-light", "opensmtpd"],
    ),
    ("mail servers", Machine, &["postfix"]),
    (
        "monitoring",
        Unpacked("monitoring"),
        &[
            "prometheus",
            "prometheus-alertmanager",
            "prometheus-postgres-exporter",
            "prometheus-sql-exporter",
        ],
    ),
    ("monitoring", Program("monitoring/usr/sbin", "-V"), &["nagios4"]),
    ("monitoring", Unpacked("icinga"), &["icinga2-bin"]),
    ("monitoring", Python("alerta"), &["alerta_server"]),
    ("log collectors", Unpacked("syslog-ng"), &["syslog-ng-core"]),
];

/// Packages of the machine beside PostgreSQL's.
const MACHINE: [&str; 7] = [
    "cron",
    "systemd",
    "systemd-journal-remote",
    "rsyslog",
    "pgbouncer",
    "chromium",
    "faketime",
];

fn version(from: &From, package: &str) -> Result<Option<String>> {
    let target = programs::checkout().join("target");
    match from {
        Unpacked(folder) => unpacked(&target.join(folder), package),
        Program(folder, option) => printed(&target.join(folder).join(package), option),
        Python(folder) => python(&target.join("python").join(folder), package),
        Node(folder) => node(&target.join("node").join(folder).join("node_modules"), package),
        Machine => installed(package),
    }
}

/// Returns the version in the first line of a package's changelog.
fn unpacked(tree: &Path, package: &str) -> Result<Option<String>> {
    if !tree.exists() {
        return Ok(None);
    }
    let changelog = tree
        .join("usr/share/doc")
        .join(package)
        .join("changelog.Debian.gz");
    let output = Command::new("zcat").arg(&changelog).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, rest) = text
        .split_once('(')
        .with_context(|| format!("no version in {}", changelog.display()))?;
    Ok(rest.split(')').next().map(str::to_owned))
}

/// Returns the last word of the first line that a program prints.
fn printed(program: &Path, option: &str) -> Result<Option<String>> {
    if !program.exists() {
        return Ok(None);
    }
    let output = Command::new(program).arg(option).output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    Ok(line.split(' ').next_back().map(str::to_owned))
}

fn python(folder: &Path, package: &str) -> Result<Option<String>> {
    if !folder.exists() {
        return Ok(None);
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let version = name
            .strip_prefix(&format!("{package}-"))
            .and_then(|rest| rest.strip_suffix(".dist-info"));
        if let Some(version) = version {
            return Ok(Some(version.to_owned()));
        }
    }
    anyhow::bail!("{} has no {package}", folder.display())
}

fn node(folder: &Path, package: &str) -> Result<Option<String>> {
    if !folder.exists() {
        return Ok(None);
    }
    let manifest = fs::read(folder.join(package).join("package.json"))?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    Ok(manifest["version"].as_str().map(str::to_owned))
}

fn installed(package: &str) -> Result<Option<String>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Version}", package])
        .output();
    let Ok(output) = output else { return Ok(None) };
    let version = String::from_utf8(output.stdout)?;
    Ok((output.status.success() && !version.is_empty()).then_some(version))
}

#[test]
fn each_program_says_its_version() -> Result<()> {
    let cron = format!(
        "postgresql-{}-cron",
        programs::major_version(programs::pg_config()?)?
    );
    let machine: Vec<&str> = MACHINE.into_iter().chain([cron.as_str()]).collect();
    let mut list = String::new();
    for (kind, from, packages) in PROGRAMS
        .iter()
        .map(|(kind, from, packages)| (*kind, from, packages.to_vec()))
        .chain([("others", &Machine, machine)])
    {
        let mut versions = Vec::new();
        for package in packages {
            let version = version(from, package)?;
            ensure!(version.as_deref() != Some(""), "{package} has an empty version");
            versions.push(format!(
                "{package} {}",
                version.as_deref().unwrap_or("is not there")
            ));
        }
        list += &format!("{kind}: {}\n", versions.join(", "));
    }
    print!("{list}");
    fs::write(programs::checkout().join("target/real_programs.txt"), list)?;
    Ok(())
}
