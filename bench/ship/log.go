package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"imwatch/event"
)

// write makes the log: ends of connections, with what such lines usually carry.
func (b *bench) write() error {
	b.log = filepath.Join(b.dir, "app.log")
	f, err := os.Create(b.log)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var line []byte
	for n := range b.lines {
		var e event.Event
		e.Begin(event.ActionDisconnect, at.Add(time.Duration(n)*time.Millisecond))
		e.SetText(event.FieldEventID, fmt.Sprintf("im-1-6aa0b2c4-%010d", n))
		e.SetInt(event.FieldEventDuration, int64(n)*1_000_003)
		e.SetText(event.FieldServiceName, "im-server")
		e.SetText(event.FieldServiceVersion, "1.0.0")
		e.SetText(event.FieldServiceNode, "im-1")
		e.SetText(event.FieldTraceID, fmt.Sprintf("%032x", uint64(n+1)*0x9e3779b97f4a7c15))
		e.SetText(event.FieldSpanID, fmt.Sprintf("%016x", uint64(n+1)*0x9e3779b97f4a7c15))
		e.SetText(event.FieldClientIP, fmt.Sprintf("192.0.2.%d", n%250))
		e.SetText(event.FieldUserID, fmt.Sprintf("u-%d", n%5000))
		e.SetText(event.FieldConnID, fmt.Sprintf("c-%d", n))
		e.SetInt(event.FieldCloseCode, 1006)
		e.SetText(event.FieldCloseReason, "client_gone")
		e.SetText(event.FieldCloseInitiator, "network")
		e.SetInt(event.FieldBytesIn, int64(n%4096))
		e.SetInt(event.FieldBytesOut, int64(n%8192))
		line = append(e.AppendJSON(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
		b.size += int64(len(line))
	}
	return errors.Join(w.Flush(), f.Close())
}
