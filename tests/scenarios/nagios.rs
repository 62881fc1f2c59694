//! The plugin under a real Nagios and a real Icinga 2.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use logwatch_tests::process::Process;
use logwatch_tests::programs;
use logwatch_tests::server::Server;
use logwatch_tests::wait::{wait_for, wait_until};

use crate::{INGEST_FATAL, SOON};

/// Returns the value of a service's attribute in Nagios's status file.
fn attribute<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let service = status.split("servicestatus {").nth(1)?;
    service
        .lines()
        .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A rule's name with a character that ends a line's text, and one that begins a macro.
const RENAME: &str =
    "UPDATE logwatch.rules SET name = 'disk | $USER1$ ; \"x\"', severity = 'warning' WHERE name = 'fatal'";

#[test]
fn nagios_reads_state_and_the_whole_line() -> Result<()> {
    let Some(nagios) = programs::monitoring("nagios4") else {
        return Ok(());
    };
    let server = Server::with_worker(&[])?;
    server.sql("CREATE ROLE nagios LOGIN; SELECT logwatch_grant('nagios', 'reader')")?;
    // Nagios ends a line's text at the first |.
    server.sql(RENAME)?;
    let dir = server.dir().join("nagios");
    fs::create_dir(&dir)?;
    let folder = dir.display();
    let environment: String = server
        .env()
        .iter()
        .filter(|(name, _)| *name != "PGUSER")
        .map(|(name, value)| format!("{name}={value} "))
        .collect();
    let plugin = programs::checkout().join("sql/integrations/check_logwatch");
    fs::write(
        dir.join("objects.cfg"),
        format!(
            "define timeperiod {{\n timeperiod_name always\n alias always\n monday 00:00-24:00\n tuesday 00:00-24:00\n \
             wednesday 00:00-24:00\n thursday 00:00-24:00\n friday 00:00-24:00\n saturday 00:00-24:00\n sunday 00:00-24:00\n}}\n\
             define command {{\n command_name check_logwatch\n command_line /usr/bin/env {environment}PGUSER=nagios {} postgres\n}}\n\
             define command {{\n command_name none\n command_line /bin/true\n}}\n\
             define contact {{\n contact_name none\n host_notification_period always\n service_notification_period always\n \
             host_notification_commands none\n service_notification_commands none\n host_notification_options n\n service_notification_options n\n}}\n\
             define host {{\n host_name db\n address 127.0.0.1\n check_period always\n max_check_attempts 1\n contacts none\n notification_period always\n}}\n\
             define service {{\n host_name db\n service_description logwatch\n check_command check_logwatch\n check_period always\n \
             max_check_attempts 1\n check_interval 1\n retry_interval 1\n contacts none\n notification_period always\n}}\n",
            plugin.display()
        ),
    )?;
    let config = dir.join("nagios.cfg");
    fs::write(
        &config,
        format!(
            "cfg_file={folder}/objects.cfg\nlog_file={folder}/nagios.log\nstatus_file={folder}/status.dat\n\
             object_cache_file={folder}/objects.cache\nprecached_object_file={folder}/objects.precache\n\
             state_retention_file={folder}/retention.dat\ncommand_file={folder}/rw\nquery_socket={folder}/qh\n\
             check_result_path={folder}\ntemp_file={folder}/tmp\ntemp_path={folder}\nlock_file={folder}/lock\n\
             nagios_user=root\nnagios_group=root\nstatus_update_interval=1\ninterval_length=1\ncheck_external_commands=0\n\
             use_syslog=0\nlog_archive_path={folder}\nservice_check_timeout=30\n"
        ),
    )?;
    let log = fs::File::create(dir.join("out"))?;
    let mut command = Command::new(nagios);
    command
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let _running = Process::spawn(&mut command, libc::SIGKILL)?;
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    wait_until(SOON, "the first result", || {
        Ok(attribute(&read("status.dat"), "has_been_checked") == Some("1"))
    })
    .with_context(|| format!("{}{}", read("out"), read("nagios.log")))?;
    let result = |state: &str| -> Result<(String, String)> {
        wait_for(SOON, &format!("state {state}"), || {
            let status = read("status.dat");
            let part = |name| attribute(&status, name).unwrap_or_default().to_owned();
            Ok((part("current_state") == state).then(|| (part("plugin_output"), part("performance_data"))))
        })
        .with_context(|| read("status.dat"))
    };
    assert_eq!(
        result("0")?,
        ("LOGWATCH OK - nothing fires".to_owned(), "firing=0".to_owned())
    );
    server.sql(INGEST_FATAL)?;
    assert_eq!(
        result("1")?,
        (
            // Nagios itself makes a colon of a semicolon.
            "LOGWATCH WARNING - 1 firing: disk / $USER1$ : \"x\"".to_owned(),
            "firing=1".to_owned()
        )
    );
    Ok(())
}

#[test]
fn icinga_reads_state_and_the_whole_line() -> Result<()> {
    let tree = programs::checkout().join("target/icinga/usr");
    let library = tree.join("lib/x86_64-linux-gnu");
    let icinga = library.join("icinga2/sbin/icinga2");
    if !icinga.exists() {
        println!("skipped: icinga2 is not unpacked (extension/package/install_missing.sh test)");
        return Ok(());
    }
    let server = Server::with_worker(&[])?;
    server.sql("CREATE ROLE icinga LOGIN; SELECT logwatch_grant('icinga', 'reader')")?;
    server.sql(RENAME)?;
    let dir = server.dir().join("icinga");
    fs::create_dir(&dir)?;
    let folder = dir.display();
    let environment: String = server
        .env()
        .iter()
        .map(|(name, value)| match *name {
            "PGUSER" => "PGUSER = \"icinga\"\n".to_owned(),
            _ => format!("{name} = \"{value}\"\n"),
        })
        .collect();
    let plugin = programs::checkout().join("sql/integrations/check_logwatch");
    let config = dir.join("icinga2.conf");
    fs::write(
        &config,
        format!(
            "include <itl>\n\
             object CheckerComponent \"checker\" {{ }}\n\
             object StatusDataWriter \"status\" {{ status_path = \"{folder}/status.dat\"\n objects_path = \"{folder}/objects\"\n update_interval = 1s }}\n\
             object CheckCommand \"logwatch\" {{ command = [ \"{}\", \"postgres\" ]\n env = {{ {environment} }} }}\n\
             object Host \"db\" {{ check_command = \"dummy\" }}\n\
             object Service \"logwatch\" {{ host_name = \"db\"\n check_command = \"logwatch\"\n check_interval = 1s\n retry_interval = 1s\n max_check_attempts = 1 }}\n",
            plugin.display()
        ),
    )?;
    let mut command = Command::new(icinga);
    command
        .arg("daemon")
        .arg("-c")
        .arg(&config)
        .arg("-I")
        .arg(tree.join("share/icinga2/include"))
        .env("LD_LIBRARY_PATH", &library);
    for name in [
        "ConfigDir",
        "DataDir",
        "LogDir",
        "CacheDir",
        "SpoolDir",
        "InitRunDir",
    ] {
        fs::create_dir(dir.join(name))?;
        command.arg("-D").arg(format!("{name}={folder}/{name}"));
    }
    let log = fs::File::create(dir.join("out"))?;
    command
        .args(["-D", "RunAsUser=root", "-D", "RunAsGroup=root"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut running = Process::spawn(&mut command, libc::SIGTERM)?;
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    let result = |state: &str| -> Result<(String, String)> {
        wait_for(SOON, &format!("state {state}"), || {
            let status = read("status.dat");
            let part = |name| attribute(&status, name).unwrap_or_default().to_owned();
            let checked = part("has_been_checked") == "1" && part("current_state") == state;
            Ok(checked.then(|| (part("plugin_output"), part("performance_data"))))
        })
        .with_context(|| format!("{}{}", read("out"), read("status.dat")))
    };
    let seen = result("0").and_then(|quiet| {
        server.sql(INGEST_FATAL)?;
        Ok((quiet, result("1")?))
    });
    // It ends its own children.
    running.stop(libc::SIGTERM, SOON)?;
    assert_eq!(
        seen?,
        (
            ("LOGWATCH OK - nothing fires".to_owned(), "firing=0".to_owned()),
            (
                "LOGWATCH WARNING - 1 firing: disk / $USER1$ ; \"x\"".to_owned(),
                "firing=1".to_owned()
            )
        )
    );
    Ok(())
}
