#!/usr/bin/env bash
# lettre 0.11.23 reports an error for mail that the server has accepted, when the reply to DATA has
# a shape that its parser does not take.
#
# Expected: RFC 5321 section 4.2 lets a client decide by the three-digit code alone, and lets the
# text be missing. A final reply that begins with 250 means that the server took the mail.
# Seen: `250 OK` is a success. A bare `250` and a reply with one byte that is not UTF-8 are errors
# that are neither transient nor permanent nor the client's: a program that tries again on such an
# error sends the same mail twice.
#
# Runs a scripted SMTP server on 127.0.0.1. Needs cargo, python3 and the crates' registry.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

cat >server.py <<'PY'
import socket, sys
# Accepts one mail for each reply to DATA in turn; prints what it has accepted.
replies = [b"250 OK\r\n", b"250\r\n", b"250 accept\xe9\r\n"]
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for reply in replies:
    connection, _ = listener.accept()
    connection.settimeout(30)
    lines = connection.makefile("rb")
    connection.sendall(b"220 server.example ESMTP\r\n")
    for line in lines:
        verb = line[:4].upper()
        if verb == b"DATA":
            connection.sendall(b"354 go on\r\n")
            while lines.readline() != b".\r\n":
                pass
            connection.sendall(reply)
        elif verb == b"QUIT":
            connection.sendall(b"221 bye\r\n")
            break
        else:
            connection.sendall(b"250 server.example\r\n")
    connection.close()
PY

mkdir -p src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
lettre = { version = "=0.11.23", default-features = false, features = ["builder", "smtp-transport"] }
TOML
cat >src/main.rs <<'RS'
use lettre::{Message, SmtpTransport, Transport};

fn main() {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1").port(port).build();
    for _ in 0..3 {
        let mail = Message::builder()
            .from("alerts@example.com".parse().unwrap())
            .to("ops@example.com".parse().unwrap())
            .subject("test")
            .body(String::from("text"))
            .unwrap();
        match mailer.send(&mail) {
            Ok(_) => println!("sent"),
            Err(e) => println!("error client={} transient={} permanent={}", e.is_client(), e.is_transient(), e.is_permanent()),
        }
    }
}
RS
cargo build --quiet

python3 server.py >port &
server=$!
for _ in $(seq 100); do [[ -s port ]] && break; sleep 0.1; done
target/debug/finding "$(head -n 1 port)" >seen

cat >expected_today <<'TEXT'
sent
error client=false transient=false permanent=false
error client=false transient=false permanent=false
TEXT
echo "lettre 0.11.23, replies: 250 OK / 250 / 250 with one byte that is not UTF-8"
cat seen
diff expected_today seen >/dev/null || { echo "the behaviour has changed"; exit 1; }
