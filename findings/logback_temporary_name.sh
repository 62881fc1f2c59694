#!/usr/bin/env bash
# logback gives a log file an intermediate name before it compresses it.
#
# Expected of `app.log.%d{…}.%i.gz`: a rotation renames app.log to its dated name, or writes the .gz
# beside it and removes the plain file. A reader with the pattern `app.log*` sees at most these two.
# Seen with logback 1.2.11: app.log is first renamed to `app.log.DATE.N<nanoseconds>.tmp`, which
# matches `app.log*` too, and then compressed to `app.log.DATE.N.gz`. For some time the same bytes
# stand under a third name, which no option of the pattern mentions.
#
# Unpacks Debian 12's jars into a temporary folder. Needs apt and a JDK, 11 or later.
set -euo pipefail
command -v javac >/dev/null || { echo "needs a JDK (default-jdk-headless)"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 777 .
apt-get -q -q download liblogback-java=1:1.2.11-3 libslf4j-java=1.7.32-1 >/dev/null 2>apt.log || { cat apt.log; exit 2; }
for package in *.deb; do dpkg-deb --extract "$package" root; done
cat >logback.xml <<'XML'
<configuration>
  <appender name="F" class="ch.qos.logback.core.rolling.RollingFileAppender">
    <file>log/app.log</file>
    <rollingPolicy class="ch.qos.logback.core.rolling.SizeAndTimeBasedRollingPolicy">
      <fileNamePattern>log/app.log.%d{yyyy-MM-dd}.%i.gz</fileNamePattern>
      <maxFileSize>4KB</maxFileSize>
    </rollingPolicy>
    <encoder><pattern>%d %level %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="F"/></root>
</configuration>
XML
cat >Write.java <<'JAVA'
import java.io.File;
import java.util.TreeSet;
public class Write {
    public static void main(String[] a) throws Exception {
        TreeSet<String> names = new TreeSet<>();
        Thread look = new Thread(() -> {
            while (!Thread.interrupted()) {
                String[] list = new File("log").list();
                if (list != null)
                    for (String name : list)
                        names.add(name.replaceAll("[0-9]{4}-[0-9]{2}-[0-9]{2}", "DATE").replaceAll("DATE\\.[0-9]\\.", "DATE.N.").replaceAll("DATE\\.[0-9][0-9]+\\.tmp", "DATE.N<nanoseconds>.tmp"));
            }
        });
        look.start();
        org.slf4j.Logger log = org.slf4j.LoggerFactory.getLogger("app");
        StringBuilder pad = new StringBuilder();
        for (int i = 0; i < 4000; i++) pad.append((char) ('a' + i * 7 % 26));
        for (int i = 0; i < 30; i++) { log.info(i + " " + pad); Thread.sleep(120); }
        look.interrupt();
        look.join();
        for (String name : names) System.out.println(name);
    }
}
JAVA
jars=$(printf '%s:' root/usr/share/java/{logback-core,logback-classic,slf4j-api}.jar)
java -cp "$jars:." -Dlogback.configurationFile=logback.xml Write.java >seen 2>errors || { cat errors; exit 2; }
echo "logback 1.2.11 wrote under these names:"
cat seen
grep -qF 'app.log.DATE.N<nanoseconds>.tmp' seen || { echo "the behaviour has changed"; exit 1; }
