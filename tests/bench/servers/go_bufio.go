// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Go: a goroutine for each connection, bufio, answers flushed when no input is waiting.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
)

func serve(connection net.Conn, counted bool) {
	defer connection.Close()
	in := bufio.NewReader(connection)
	out := bufio.NewWriter(connection)
	var frame []byte
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if counted {
			size, err := strconv.Atoi(strings.TrimSpace(string(line[5:])))
			if err != nil {
				return
			}
			if cap(frame) < size {
				frame = make([]byte, size)
			}
			if _, err := io.ReadFull(in, frame[:size]); err != nil {
				return
			}
			out.Write(frame[:size])
		} else {
			out.Write(line)
		}
		if in.Buffered() == 0 {
			if out.Flush() != nil {
				return
			}
		}
	}
}

func main() {
	if len(os.Args) != 2 || (os.Args[1] != "lines" && os.Args[1] != "counted") {
		fmt.Fprintln(os.Stderr, "usage: go_bufio lines|counted")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		go serve(connection, os.Args[1] == "counted")
	}
}
