// Command bare is the least that a Go program can do to bring the lines of a file into Kafka: read, cut into lines, scan
// the JSON, make an id, add it, choose the partition by connection, compress, produce with acks=all. It keeps no
// position, no queue, no order over restarts, and checks nothing. What the shipper takes beyond it is the price of
// what the shipper promises.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

const (
	partitions = 4
	blockBytes = 1 << 20
)

func main() {
	address := flag.String("kafka", "", "address of a broker")
	topic := flag.String("topic", "", "topic with four partitions")
	file := flag.String("file", "", "the file")
	flag.Parse()
	if err := run(*address, *topic, *file); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(address, topic, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	client := &kafka.Client{Addr: kafka.TCP(address), Timeout: time.Minute}
	id, err := client.InitProducerID(context.Background(), &kafka.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if f, err = os.Open(file); err != nil {
		return err
	}
	as := bus.Identity{ID: int64(id.Producer.ProducerID), Epoch: int16(id.Producer.ProducerEpoch)}
	lanes := make([]chan sealed, partitions)
	free := make(chan []byte, 2*partitions)
	var wg sync.WaitGroup
	errs := make([]error, partitions)
	for p := range lanes {
		lanes[p] = make(chan sealed, 1)
		wg.Go(func() { errs[p] = produce(client, topic, p, as, lanes[p], free) })
	}
	err = read(f, lanes, free)
	for _, l := range lanes {
		close(l)
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), err, f.Close())
}

// sealed is a record batch of n records.
type sealed struct {
	batch []byte
	n     int
}

// read cuts the file into blocks of whole lines and seals each, a batch for each partition.
func read(f io.Reader, lanes []chan sealed, free chan []byte) error {
	encoder := recordbatch.NewEncoder(recordbatch.LZ4, 8<<20)
	block, arena := make([]byte, blockBytes), make([]byte, 0, 2*blockBytes)
	messages := make([][]bus.Message, partitions)
	have, offset := 0, int64(0)
	for {
		n, err := f.Read(block[have:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		have += n
		whole := bytes.LastIndexByte(block[:have], '\n') + 1
		arena = arena[:0]
		for p := range messages {
			messages[p] = messages[p][:0]
		}
		for rest := block[:whole]; len(rest) > 0; {
			end := bytes.IndexByte(rest, '\n')
			var m bus.Message
			m, arena = event(arena, rest[:end], offset)
			p := bus.Partition(m.Key, partitions)
			messages[p] = append(messages[p], m)
			rest, offset = rest[end+1:], offset+int64(end)+1
		}
		for p, ms := range messages {
			var b []byte
			select {
			case b = <-free:
			default:
			}
			batch, n, err := encoder.Append(b[:0], ms, nil)
			if err != nil {
				return err
			}
			lanes[p] <- sealed{batch, n}
		}
		have = copy(block, block[whole:have])
	}
}

// event makes the record of a line in arena: its members as they are, with an id of its place and content.
func event(arena, line []byte, offset int64) (bus.Message, []byte) {
	key := connection(line)
	h := sha256.New()
	_, _ = fmt.Fprint(h, offset)
	_, _ = h.Write(line)
	var sum [sha256.Size]byte
	start := len(arena)
	arena = append(arena, line[:len(line)-1]...)
	arena = append(arena, `,"log.event.id":"`...)
	arena = hex.AppendEncode(arena, h.Sum(sum[:0])[:16])
	arena = append(arena, `"}`...)
	return bus.Message{Key: key, Value: arena[start:len(arena):len(arena)]}, arena
}

// connection scans the members of a flat or nested object and gives that which names the connection.
func connection(line []byte) []byte {
	var key []byte
	for i := 0; i < len(line); i++ {
		if line[i] != '"' {
			continue
		}
		start := i + 1
		for i++; i < len(line) && line[i] != '"'; i++ {
			if line[i] == '\\' {
				i++
			}
		}
		if i+1 < len(line) && line[i+1] == ':' {
			if string(line[start:i]) == "im.connection.id" && i+3 < len(line) && line[i+2] == '"' {
				value := line[i+3:]
				key = value[:bytes.IndexByte(value, '"')]
			}
		}
	}
	if key == nil {
		h := fnv.New64a()
		_, _ = h.Write(line)
		key = h.Sum(nil)
	}
	return key
}

// produce sends a partition's batches one after the other.
func produce(client *kafka.Client, topic string, partition int, as bus.Identity, in <-chan sealed, free chan<- []byte) error {
	sequence := int32(0)
	for s := range in {
		if err := recordbatch.Stamp(s.batch, bus.Stamp{Identity: as, Sequence: sequence}, time.Now()); err != nil {
			return err
		}
		sequence += int32(s.n) //nolint:gosec // a file has fewer lines
		size := len(s.batch)
		head := []byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
		res, err := client.RawProduce(context.Background(), &kafka.RawProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			RawRecords: protocol.RawRecordSet{Reader: io.MultiReader(bytes.NewReader(head), bytes.NewReader(s.batch))},
		})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			return err
		}
		select {
		case free <- s.batch:
		default:
		}
	}
	return nil
}
