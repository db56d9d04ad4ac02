package acceptance

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// The servers of cluster mode, and the variables that say where they are and by which script they are started.
const (
	kafka         = "kafka"
	elasticsearch = "elasticsearch"

	kafkaVar, kafkaScriptVar     = "IMWATCH_TEST_KAFKA", "IMWATCH_TEST_KAFKA_SCRIPT"
	elasticVar, elasticScriptVar = "IMWATCH_TEST_ES", "IMWATCH_TEST_ES_SCRIPT"
)

// openCluster wipes and starts Kafka and Elasticsearch, and starts a process a role on them.
func openCluster(t *testing.T, rules string) *site {
	t.Helper()
	s := newCluster(t, rules)
	for _, name := range []string{node1, node2} {
		s.node(t, name, "im-server")
		server := s.specs[name]
		server.env = append(server.env, "IMWATCH_IM_SERVER_LOG_PATH="+s.logs+"/"+name+".log")
		s.specs[name] = server
	}
	for _, name := range []string{"alert", "detect", "index", "ship"} {
		s.role(t, name)
		s.start(t, name)
	}
	s.pipeline, s.alerter = s.specs["detect"].ops, s.specs["alert"].ops
	s.start(t, node1)
	s.start(t, node2)
	return s
}

// newCluster wipes and starts Kafka and Elasticsearch, and sets them up. Nothing of ours runs yet.
func newCluster(t *testing.T, rules string) *site {
	t.Helper()
	for _, name := range []string{kafkaVar, kafkaScriptVar, elasticVar, elasticScriptVar} {
		if os.Getenv(name) == "" {
			t.Skipf("%s is not set: cluster mode needs a real Kafka and Elasticsearch, see test/acceptance.sh", name)
		}
	}
	s := newSite(t)
	s.servers[kafka] = script(os.Getenv(kafkaScriptVar))
	s.servers[elasticsearch] = script(os.Getenv(elasticScriptVar))
	var starting sync.WaitGroup
	for _, srv := range s.servers {
		starting.Go(func() { srv.(script).fresh(t) })
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	es := elastic(os.Getenv(elasticVar))
	s.store = es
	s.config = settings{Dir: s.dir, Rules: rules, Logs: s.logs, Kafka: os.Getenv(kafkaVar), Elastic: string(es)}.write(t, s.told)
	out, err := exec.CommandContext(t.Context(), program, "setup", "--config", s.config).CombinedOutput()
	if err != nil {
		t.Fatalf("setup: %v\n%s", err, out)
	}
	return s
}

// script starts and stops a server; see test/infra.
type script string

func (x script) run(t *testing.T, does string) {
	t.Helper()
	if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), string(x), does).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", x, does, err, out)
	}
}

// fresh starts the server without any data. Safe for concurrent use.
func (x script) fresh(t *testing.T) {
	t.Helper()
	x.run(t, "wipe")
	x.run(t, "start")
}

func (x script) crash(t *testing.T) {
	t.Helper()
	x.run(t, "kill9")
}

func (x script) start(t *testing.T) {
	t.Helper()
	x.run(t, "start")
	if t.Failed() {
		t.FailNow()
	}
}
