// Logs the lines of standard input through lumberjack: rotate FILE BACKUPS [gzip].
package main

import (
	"bufio"
	"log"
	"os"
	"strconv"

	"gopkg.in/natefinch/lumberjack.v2"
)

func main() {
	backups, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	file := &lumberjack.Logger{
		Filename:   os.Args[1],
		MaxSize:    1,
		MaxBackups: backups,
		Compress:   len(os.Args) > 3,
	}
	out := log.New(file, "", 0)
	written := 0
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		// A megabyte is the least size that the library rotates by itself.
		if written += len(input.Text()) + 1; written > 4096 {
			if err := file.Rotate(); err != nil {
				log.Fatal(err)
			}
			written = len(input.Text()) + 1
		}
		out.Println(input.Text())
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
}
