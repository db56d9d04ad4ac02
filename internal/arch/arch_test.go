// Package arch holds the shape of the source to the design: who imports whom.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "imwatch/"

// may says what of ours each folder imports. A folder that is not here fails the test: where it stands in the flow of
// imports is a decision. "*" is everything. A name ending in "/" means the folder and all below it.
var may = map[string][]string{
	"event":            nil,
	"event/filter":     {"event"},
	"event/deadletter": {"event"},
	"event/canary":     {"event"},

	"im-server":          {"event", "im-server/"},
	"im-server/protocol": nil,
	"im-server/eventlog": {"event", "internal/disk"},
	"im-server/framing":  nil,
	"im-server/hot":      {"event"},
	"im-server/accept":   nil,
	"im-server/source":   nil,
	"im-server/token":    {"event", "im-server/protocol", "im-server/source"},
	"im-server/factor":   {"im-server/source"},
	"im-server/ops":      {"event", "im-server/hot"},
	"im-server/cluster":  nil,
	"client":             {"event", "im-server/protocol", "client/wal"},
	"client/wal":         {"internal/disk"},
	"sim":                {"event", "client", "im-server/protocol"},

	"im-server/cluster/journal":     {"internal/disk"},
	"im-server/cluster/redis":       {"im-server/cluster", "im-server/cluster/journal"},
	"im-server/cluster/clustertest": {"im-server/cluster"},

	"shipper":               {"event", "event/deadletter", "event/canary", "internal/bus", "internal/lag", "shipper/", "internal/disk"},
	"shipper/parse":         {"event", "shipper/parse/"},
	"shipper/multiline":     nil,
	"shipper/input":         nil,
	"shipper/input/listen":  nil,
	"shipper/input/stdin":   {"shipper/input", "shipper/multiline"},
	"shipper/input/httpin":  {"shipper/input", "shipper/input/listen"},
	"shipper/input/syslog":  {"shipper/input", "shipper/input/listen", "shipper/parse/rfc5424"},
	"shipper/parse/rfc5424": nil,
	"shipper/tail":          {"shipper/multiline"},
	"shipper/queue":         nil,
	"shipper/parse/fault":   nil,
	"shipper/parse/date":    {"event", "shipper/parse/fault"},
	"shipper/parse/dissect": nil,
	"shipper/parse/grok":    {"event"},
	"shipper/parse/mapping": {"event", "shipper/parse/date", "shipper/parse/fault"},
	"shipper/parse/geo":     {"event"},
	"shipper/parse/agent":   {"event"},
	"shipper/parse/redact":  {"event", "shipper/parse/mapping"},
	"shipper/status":        {"event"},
	"shipper/sample":        {"event"},
	"shipper/shiptest":      {"event", "shipper/"},

	"shipper/index":                 {"event", "event/canary", "event/deadletter", "event/filter", "internal/bus", "internal/lag", "internal/store", "shipper/index/status"},
	"shipper/index/status":          nil,
	"shipper/index/chunk":           {"event", "internal/bus", "shipper/index"},
	"shipper/index/chunk/chunktest": {"event", "event/deadletter", "shipper/index", "shipper/index/chunk"},
	"shipper/index/parquet":         {"event", "shipper/index", "shipper/index/chunk", "internal/disk"},
	"shipper/index/clickhouse":      {"event", "event/deadletter", "shipper/index", "shipper/index/chunk"},

	"detector":                    {"event", "event/filter", "event/canary", "internal/bus", "internal/store", "detector/"},
	"detector/kql":                {"event", "event/filter"},
	"detector/kql/kqltest":        {"event", "event/filter", "detector/kql", "internal/store"},
	"detector/calendar":           {"event", "rules", "detector/yamlnode"},
	"detector/rule":               {"event", "event/filter", "detector/kql", "detector/calendar", "detector/yamlnode"},
	"detector/engine":             {"event", "event/filter", "detector/rule", "detector/window"},
	"detector/window":             {"event", "event/filter", "detector/rule"},
	"detector/shard":              {"event", "internal/bus", "detector/"},
	"detector/ruletest":           {"event", "event/filter", "detector/"},
	"detector/backtest":           {"event", "event/filter", "internal/bus", "internal/store", "detector/"},
	"detector/explain":            {"event", "event/filter", "internal/bus", "internal/store", "detector/"},
	"detector/yamlnode":           nil,
	"detector/sigma":              {"event", "event/filter", "detector/"},
	"detector/query":              {"event", "event/filter", "internal/store", "detector/"},
	"rules":                       nil,
	"alerting":                    {"event", "event/filter", "event/deadletter", "event/canary", "internal/bus", "internal/store", "alerting/"},
	"alerting/channel":            {"event"},
	"alerting/hours":              nil,
	"alerting/silence":            {"event", "alerting/hours", "alerting/route"},
	"alerting/inhibit":            {"event", "alerting/route"},
	"alerting/flap":               {"event"},
	"alerting/desk":               {"event", "event/filter", "internal/store", "alerting/oncall", "alerting/silence"},
	"alerting/oncall":             {"event", "alerting/hours"},
	"alerting/api":                {"event", "event/filter", "internal/store", "alerting/desk", "alerting/oidc", "alerting/oncall", "alerting/outbox", "alerting/route", "alerting/silence"},
	"alerting/oidc":               nil,
	"alerting/egress":             {"alerting/channel"},
	"alerting/route":              {"event"},
	"alerting/render":             {"event", "alerting/channel"},
	"alerting/outbox":             {"event", "event/filter", "internal/store", "alerting/channel"},
	"alerting/deliver":            {"event", "internal/store", "alerting/budget", "alerting/channel", "alerting/outbox"},
	"alerting/budget":             {"event", "internal/store"},
	"alerting/fill":               {"alerting/channel"},
	"alerting/spark":              nil,
	"alerting/wecom":              {"event", "alerting/channel", "alerting/egress"},
	"alerting/wecomapp":           {"event", "alerting/channel", "alerting/egress"},
	"alerting/dingtalk":           {"event", "alerting/channel", "alerting/egress"},
	"alerting/feishu":             {"event", "alerting/channel", "alerting/egress"},
	"alerting/slack":              {"event", "alerting/channel", "alerting/egress"},
	"alerting/pagerduty":          {"event", "alerting/channel", "alerting/egress"},
	"alerting/email":              {"event", "alerting/channel", "alerting/egress"},
	"alerting/webhook":            {"event", "alerting/channel", "alerting/egress"},
	"alerting/sms":                {"event", "alerting/channel", "alerting/egress"},
	"alerting/alertmanager":       {"event", "alerting/channel", "alerting/egress"},
	"alerting/stdout":             {"event", "alerting/channel", "alerting/egress"},
	"alerting/aliyun":             {"event", "alerting/channel", "alerting/egress", "alerting/fill"},
	"alerting/tencent":            {"event", "alerting/channel", "alerting/egress", "alerting/fill"},
	"alerting/alertingtest/robot": nil,
	"alerting/alertingtest/smtpd": nil,

	"kibana":          {"event"},
	"internal/bus":    nil,
	"internal/store":  {"event", "event/filter"},
	"internal/config": {"event"},
	"internal/arch":   nil,
	"internal/disk":   nil,
	"internal/lag":    nil,
	"internal/scale":  {"internal/bus"},
	"internal/app":    {"*"},
	"cmd/imwatch":     {"internal/app"},
	"test/compose":    nil,
	"test/acceptance": {"*"},
	"test/shipcrash":  {"*"},
	"test/rotation":   {"*"},
	"bench/alerting":  {"*"},
	"bench/capacity":  {"*"},
	"bench/detector":  {"*"},
	"bench/gateway":   {"*"},
	"bench/latency":   {"*"},
	"bench/pipeline":  {"*"},
	"bench/ship":      {"*"},

	"bench/elastic":      nil,
	"bench/gateway/bare": nil,
	"bench/ship/bare":    {"internal/bus", "internal/bus/recordbatch"},
	"bench/gateway/soak": {"*"},

	"internal/bus/bustest":     {"internal/bus"},
	"internal/bus/recordbatch": {"internal/bus"},
	"internal/bus/membus":      {"internal/bus", "internal/bus/recordbatch"},
	"internal/bus/kafkabus":    {"internal/bus", "internal/lag", "internal/bus/recordbatch"},
	"internal/bus/embedded":    {"internal/bus", "internal/bus/kafkabus", "internal/bus/recordbatch", "internal/disk"},
	"internal/store/storetest": {"event", "event/filter", "internal/store"},
	"internal/store/elastic":   {"event", "event/filter", "internal/store"},
	"internal/store/sqlite":    {"event", "event/filter", "internal/store"},
}

// testsMay are further folders that tests, and only they, import.
var testsMay = []string{
	"event", "event/filter", "event/deadletter",
	"im-server/cluster/clustertest",
	"internal/bus", "internal/bus/membus", "internal/bus/embedded", "internal/bus/recordbatch", "internal/bus/bustest", "internal/store/sqlite", "internal/store/elastic", "internal/store/storetest",
	"shipper/index/chunk/chunktest", "alerting/alertingtest", "alerting/alertingtest/", "im-server", "sim", "rules", "detector/",
}

// owner says where a third party may be imported; what is not here may be imported anywhere.
var owner = map[string][]string{
	"github.com/segmentio/kafka-go":  {"internal/bus/kafkabus", "bench/ship/bare"},
	"github.com/twmb/franz-go":       {"internal/bus/embedded"},
	"github.com/elastic/go-elast":    {"internal/store/elastic"},
	"github.com/elastic/elastic-tr":  {"internal/store/elastic"},
	"github.com/elastic/go-grok":     {"shipper/parse/grok"},
	"github.com/oschwald":            {"shipper/parse/geo"},
	"github.com/mileusna":            {"shipper/parse/agent"},
	"github.com/maxmind":             nil, // tests make databases with it
	"github.com/parquet-go/parquet":  {"shipper/index/parquet"},
	"modernc.org/sqlite":             {"internal/store/sqlite"},
	"github.com/gin-gonic/gin":       {"im-server", "bench/gateway/bare"},
	"github.com/pires/go-proxyproto": {"im-server/accept"},
	"github.com/gorilla/websocket":   {"im-server", "client", "sim", "bench/gateway/bare"},
	"github.com/klauspost/compress":  {"im-server/framing", "internal/bus/recordbatch"},
	"github.com/pierrec/lz4":         {"internal/bus/recordbatch"},
	"github.com/redis/go-redis":      {"im-server/cluster/redis"},
	"github.com/coreos/go-oidc":      {"alerting/oidc"},
	"github.com/go-jose/go-jose":     {"alerting/oidc"},
	"github.com/golang-jwt/jwt":      {"im-server", "im-server/token", "sim", "bench/gateway/bare"},
	"github.com/wneessen/go-mail":    {"alerting/email"},
	"github.com/teambition/rrule-go": nil,
	"go.yaml.in/yaml":                {"internal/config", "detector/calendar", "detector/rule", "detector/ruletest", "detector/sigma", "detector/yamlnode"},
}

func TestImportsGoOnlyDown(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "tools" || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			checkFile(t, path, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, path, rel string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatalf("reading imports: %v", err)
	}
	folder := filepath.ToSlash(filepath.Dir(rel))
	allowed, known := may[folder]
	if !known {
		t.Errorf("%s: the folder has no line in the table of imports", folder)
		return
	}
	isTest := strings.HasSuffix(rel, "_test.go")
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if inner, ours := strings.CutPrefix(name, module); ours {
			if ok := inner == folder || within(inner, allowed) || isTest && within(inner, testsMay); !ok {
				t.Errorf("%s imports %s: allowed are %v", rel, inner, allowed)
			}
			continue
		}
		for prefix, folders := range owner {
			if strings.HasPrefix(name, prefix) && !within(folder, folders) && !isTest {
				t.Errorf("%s imports %s: it lives in %v only", rel, name, folders)
			}
		}
		if folder == "event" && !isTest && strings.Contains(strings.SplitN(name, "/", 2)[0], ".") {
			t.Errorf("%s imports %s: event imports the standard library only", rel, name)
		}
	}
}

func within(folder string, list []string) bool {
	for _, l := range list {
		if l == "*" || l == folder || strings.HasSuffix(l, "/") && strings.HasPrefix(folder+"/", l) {
			return true
		}
	}
	return false
}
