//! Requests to web servers on this host.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Returns a port that was free a moment ago, for a program that cannot choose one itself.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Returns the body that `http://HOST:PORT/PATH` answers with; an error unless the status is 200.
pub fn get(url: &str) -> Result<String> {
    let rest = url.strip_prefix("http://").context("not an http URL")?;
    let (host, path) = rest.split_once('/').context("a URL without path")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    // In version 1.0 a body comes in one piece, and ends with the connection.
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    ensure!(head.split(' ').nth(1) == Some("200"), "{url}: {answer}");
    Ok(body.to_owned())
}

/// Returns the JSON that a URL answers with.
pub fn get_json(url: &str) -> Result<Value> {
    Ok(serde_json::from_str(&get(url)?)?)
}
