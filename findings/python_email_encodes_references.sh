#!/usr/bin/env bash
# Python's email package writes a long References or List-Unsubscribe header as RFC 2047 words, so
# that no mail program can read it.
#
# Expected: a message id, or an address in angle brackets, is written as it is. It is ASCII, it may
# not be encoded (RFC 2047, section 5), and a line may have up to 998 characters.
# Seen with Python 3.8 to 3.13 (Debian 12 has 3.11): a value with no blank that is longer than 78
# characters is cut by encoding it, =?utf-8?q?=3C...?=, with the policies default and SMTP. Only for
# Message-ID itself this has been mended. Each alert then begins a thread of its own instead of
# joining that of its episode, and one-click unsubscribing is gone; a program that looks for the id
# in the text of the mail finds none. max_line_length = 998 in the policy avoids it.
#
# Needs python3, 3.8 or later, and nothing else.
set -euo pipefail
python3 - <<'PY'
import email.message, email.policy, platform, sys

message_id = "<alert-4711." + "0123456789abcdef" * 4 + "@mail.example.com>"
unsubscribe = "<https://example.com/unsubscribe?" + "0123456789abcdef" * 4 + ">"

def as_is(policy):
    """Tells which headers another mail program reads as they were set."""
    mail = email.message.EmailMessage(policy=policy)
    headers = {"Message-ID": message_id, "References": message_id, "In-Reply-To": message_id,
               "List-Unsubscribe": unsubscribe}
    for name, value in headers.items():
        mail[name] = value
    wire = mail.as_bytes()
    # Decodes nothing; puts lines together that begin with white space, as RFC 5322 says.
    read = {}
    for line in wire.decode("ascii").splitlines():
        if line[:1] in (" ", "\t"):
            read[name] += line.strip()
        elif line:
            name, _, value = line.partition(":")
            read[name] = value.strip()
    return [name for name in headers if read[name] == headers[name]], read

print("Python", platform.python_version())
smtp, read = as_is(email.policy.SMTP)
wide, _ = as_is(email.policy.SMTP.clone(max_line_length=998))
print("References:", read["References"])
print("as they were set, policy SMTP:", smtp)
print("as they were set, policy SMTP with lines of 998:", wide)
changed = smtp != ["Message-ID"] or wide != ["Message-ID", "References", "In-Reply-To", "List-Unsubscribe"]
sys.exit("the behaviour has changed" if changed else 0)
PY
