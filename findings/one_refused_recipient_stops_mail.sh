#!/usr/bin/env bash
# One recipient whom the mail server refuses keeps the mail from all the others, with two of the
# small programs that stand in for sendmail.
#
# Expected: a mail to three people reaches two of them if the third has left. RFC 5321 has that very
# dialogue as its example (appendix D.1): 550 to one RCPT, and the client goes on with DATA. Postfix
# and Exim do so, and tell the sender who was refused.
# Seen with msmtp 1.8.23 and nullmailer 2.2 (Debian 12): after the 550 they end the dialogue, and
# nobody gets the mail, although the server has accepted the first recipient. So an address that
# dies in an alias or a MAILTO silences the mails of cron, smartd and mdadm for a whole team.
#
# Unpacks the packages into a temporary folder; a scripted SMTP server listens on 127.0.0.1. Needs
# Debian 12's apt, and python3.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
# apt drops root for a download where it can; a folder for everybody avoids its warning.
chmod 777 .
apt-get -q -q download msmtp nullmailer libgsasl18 libidn12 libntlm0 libgssglue1 \
	libsecret-1-0 libglib2.0-0 >/dev/null 2>apt.log || { cat apt.log; exit 2; }
for package in *.deb; do dpkg-deb --extract "$package" root; done
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)

cat >server.py <<'PY'
import socket
# Takes each mail; refuses one recipient; writes down whom it has taken mail for.
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    connection.settimeout(20)
    lines = connection.makefile("rb")
    connection.sendall(b"220 mail.example.com\r\n")
    taken = []
    for line in lines:
        word = line[:4].upper()
        reply = b"250 ok"
        if word == b"RCPT":
            address = line.split(b"<")[1].split(b">")[0]
            if address.startswith(b"left"):
                reply = b"550 5.1.1 no such user"
            else:
                taken.append(address.decode())
        elif word == b"DATA":
            connection.sendall(b"354 go on\r\n")
            while lines.readline() not in (b".\r\n", b""):
                pass
            with open("delivered", "a") as file:
                file.writelines(f"{address}\n" for address in taken)
        elif word == b"QUIT":
            reply = b"221 bye"
        connection.sendall(reply + b"\r\n")
        if word == b"QUIT":
            break
    connection.close()
PY
python3 server.py >port &
server=$!
for _ in $(seq 100); do [[ ! -s port ]] || break; sleep 0.1; done
port=$(cat port)
printf '%s\n' "From: cron@example.com" "Subject: backup failed" "" "no space left" >mail

with() { # sends the mail with program $1 to the recipients that follow
	local program=$1
	shift
	case $program in
		msmtp) root/usr/bin/msmtp --host=127.0.0.1 --port="$port" --from=cron@example.com --auth=off --tls=off "$@" <mail ;;
		nullmailer)
			{ printf '%s\n' cron@example.com "$@" ""; cat mail; } >queued
			printf '%s\n' host=127.0.0.1 "port=$port" "" | HELOHOST=client.example.com root/usr/lib/nullmailer/smtp 3<queued
			;;
	esac >>output 2>&1 || true
}
for program in msmtp nullmailer; do
	: >delivered
	with "$program" first@example.com second@example.com
	good=$(wc -l <delivered)
	: >delivered
	with "$program" first@example.com left@example.com second@example.com
	echo "$program $(dpkg-deb -f ${program}_*.deb Version): delivered to $good of 2; with a third one, who is refused, to $(wc -l <delivered)"
done | tee seen
(($(grep -c 'delivered to 2 of 2; .* to 0$' seen) == 2)) || { cat output; echo "the behaviour has changed"; exit 1; }
