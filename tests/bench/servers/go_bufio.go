// asynchat - Python's asynchat programming model on standalone Asio
// SPDX-License-Identifier: BSL-1.0

// Go: a goroutine for each connection, bufio on both sides, flushed when there is no more input.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
)

func echoLines(in *bufio.Reader, out *bufio.Writer) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		out.Write(line)
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func echoFrames(in *bufio.Reader, out *bufio.Writer) error {
	var frame []byte
	for {
		header, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.Atoi(string(bytes.TrimSuffix(header[5:], []byte("\n"))))
		if err != nil {
			return err
		}
		if cap(frame) < size {
			frame = make([]byte, size)
		}
		if _, err := io.ReadFull(in, frame[:size]); err != nil {
			return err
		}
		out.Write(frame[:size])
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func main() {
	echo := echoLines
	if len(os.Args) == 2 && os.Args[1] == "counted" {
		echo = echoFrames
	} else if len(os.Args) != 2 || os.Args[1] != "lines" {
		log.Fatal("usage: go_bufio lines|counted")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer connection.Close()
			echo(bufio.NewReaderSize(connection, 65536), bufio.NewWriterSize(connection, 65536))
		}()
	}
}
