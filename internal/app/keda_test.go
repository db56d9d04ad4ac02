package app

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"testing"

	"go.yaml.in/yaml/v3"

	"imwatch/detector/shard"
	"imwatch/internal/bus"
)

// The names in KEDA's resources are theirs, of version 2: what is not here they would pass over without a word.
type kedaScaledObject struct {
	APIVersion string                `yaml:"apiVersion"`
	Kind       string                `yaml:"kind"`
	Metadata   struct{ Name string } `yaml:"metadata"`
	Spec       struct {
		ScaleTargetRef  struct{ Name string } `yaml:"scaleTargetRef"`
		PollingInterval int                   `yaml:"pollingInterval"`
		CooldownPeriod  int                   `yaml:"cooldownPeriod"`
		MinReplicaCount int                   `yaml:"minReplicaCount"`
		MaxReplicaCount int                   `yaml:"maxReplicaCount"`
		Advanced        struct {
			HPA struct {
				Behavior struct {
					ScaleUp   kedaScaling `yaml:"scaleUp"`
					ScaleDown kedaScaling `yaml:"scaleDown"`
				} `yaml:"behavior"`
			} `yaml:"horizontalPodAutoscalerConfig"`
		} `yaml:"advanced"`
		Triggers []struct {
			Type              string                `yaml:"type"`
			Metadata          map[string]string     `yaml:"metadata"`
			AuthenticationRef struct{ Name string } `yaml:"authenticationRef"`
		} `yaml:"triggers"`
	} `yaml:"spec"`
}

type kedaScaling struct {
	Window   int `yaml:"stabilizationWindowSeconds"`
	Policies []struct {
		Type   string `yaml:"type"`
		Value  int    `yaml:"value"`
		Period int    `yaml:"periodSeconds"`
	} `yaml:"policies"`
}

type kedaAuthentication struct {
	APIVersion string                `yaml:"apiVersion"`
	Kind       string                `yaml:"kind"`
	Metadata   struct{ Name string } `yaml:"metadata"`
	Spec       struct {
		SecretTargetRef []struct{ Parameter, Name, Key string } `yaml:"secretTargetRef"`
	} `yaml:"spec"`
}

// What KEDA's scalers read, of a trigger's metadata and of its authentication.
var (
	kedaMetadata = map[string][]string{
		"kafka": {
			"bootstrapServers", "consumerGroup", "topic", "lagThreshold", "activationLagThreshold", "offsetResetPolicy", "allowIdleConsumers",
			"scaleToZeroOnInvalidOffset", "excludePersistentLag", "limitToPartitionsWithLag", "version", "partitionLimitation", "sasl", "tls",
		},
		"prometheus": {"serverAddress", "query", "threshold", "activationThreshold", "namespace", "authModes", "ignoreNullValues", "unsafeSsl", "customHeaders", "queryParameters", "timeout"},
	}
	kedaParameters = map[string][]string{
		"kafka":      {"sasl", "username", "password", "tls", "ca", "cert", "key", "keyPassword"},
		"prometheus": {"bearerToken", "username", "password", "ca", "cert", "key"},
	}
)

// document is one of a file of several.
type document struct {
	kind string
	node yaml.Node
}

func kedaDocuments(t *testing.T, file string) (out []document) {
	t.Helper()
	b, err := os.ReadFile("../../deploy/keda/" + file)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var d document
		if err := dec.Decode(&d.node); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var head struct {
			Kind string `yaml:"kind"`
		}
		if d.node.Decode(&head) != nil || head.Kind == "" {
			continue // a comment alone
		}
		d.kind = head.Kind
		out = append(out, d)
	}
}

// strict decodes with every name known.
func strict(t *testing.T, d document, into any) {
	t.Helper()
	b, err := yaml.Marshal(&d.node)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Errorf("%s: %v", d.kind, err)
	}
}

// Every ScaledObject names a Deployment, a group, a topic and a metric that there are, and no more replicas than partitions.
func TestKEDA(t *testing.T) {
	cfg := DefaultConfig()
	const shards = 4 // of the Deployment
	type lag struct{ group, topic string }
	type facts struct {
		query string
		lags  []lag
	}
	want := map[string]facts{
		"index":  {"im_index_wanted_instances", []lag{{cfg.Indexer.Group, bus.TopicLifecycle}}},
		"detect": {"im_detector_wanted_instances", []lag{{shard.RouterGroup(shards), bus.TopicLifecycle}, {shard.Group(shards), shard.Topic(shards)}}},
		"alert":  {"im_alerting_wanted_instances", []lag{{cfg.Alerting.Group, bus.TopicAlerts}}},
	}
	metrics := catalog(t)
	deployed := deployments(t, strconv.Itoa(shards))
	for file, trigger := range map[string]string{"lag.yaml": "kafka", "advice.yaml": "prometheus"} {
		seen, auth := 0, ""
		for _, d := range kedaDocuments(t, file) {
			if d.kind == "TriggerAuthentication" {
				auth = kedaAuth(t, d, trigger)
				continue
			}
			var o kedaScaledObject
			strict(t, d, &o)
			role := ""
			for r := range want {
				if o.Spec.ScaleTargetRef.Name == "imwatch-"+r {
					role = r
				}
			}
			if o.Kind != "ScaledObject" || o.APIVersion != "keda.sh/v1alpha1" || role == "" || !deployed[role] {
				t.Errorf("%s: %s scales %q: no such Deployment", file, o.Kind, o.Spec.ScaleTargetRef.Name)
				continue
			}
			seen++
			checkScaled(t, file+", "+role, &o, cfg.Topics.Partitions)
			w, lags := want[role], []lag(nil)
			for _, tr := range o.Spec.Triggers {
				if tr.Type != trigger || tr.AuthenticationRef.Name != auth {
					t.Errorf("%s, %s: trigger %s, authenticated by %q", file, role, tr.Type, tr.AuthenticationRef.Name)
				}
				m := tr.Metadata
				for k := range m {
					if !slices.Contains(kedaMetadata[trigger], k) {
						t.Errorf("%s, %s: KEDA's %s scaler has no %s", file, role, trigger, k)
					}
				}
				if trigger == "kafka" && m["offsetResetPolicy"] != "earliest" {
					t.Errorf("%s, %s: begins at %s", file, role, m["offsetResetPolicy"])
				}
				if trigger == "prometheus" && (m["query"] != "max("+w.query+")" || m["threshold"] != "1" || metrics[w.query] == nil) {
					t.Errorf("%s, %s: asks for %s; that metric exists: %v", file, role, m["query"], metrics[w.query] != nil)
				}
				lags = append(lags, lag{m["consumerGroup"], m["topic"]})
			}
			if trigger == "kafka" && !slices.Equal(lags, w.lags) || len(lags) == 0 {
				t.Errorf("%s, %s: by %v, expected %v", file, role, lags, w.lags)
			}
		}
		if seen != len(want) {
			t.Errorf("%s scales %d roles, expected %d", file, seen, len(want))
		}
	}
}

func checkScaled(t *testing.T, name string, o *kedaScaledObject, partitions int) {
	t.Helper()
	s := o.Spec
	if s.MaxReplicaCount != partitions || s.MinReplicaCount < 1 || s.CooldownPeriod < 60 || s.PollingInterval < 5 {
		t.Errorf("%s: %+v; there are %d partitions", name, s, partitions)
	}
	for _, b := range []kedaScaling{s.Advanced.HPA.Behavior.ScaleUp, s.Advanced.HPA.Behavior.ScaleDown} {
		if len(b.Policies) == 0 || b.Window > 3600 || b.Policies[0].Type != "Pods" || b.Policies[0].Value < 1 || b.Policies[0].Period > 1800 {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func kedaAuth(t *testing.T, d document, trigger string) string {
	t.Helper()
	var a kedaAuthentication
	strict(t, d, &a)
	if a.APIVersion != "keda.sh/v1alpha1" || len(a.Spec.SecretTargetRef) == 0 {
		t.Errorf("%+v", a)
	}
	for _, r := range a.Spec.SecretTargetRef {
		if !slices.Contains(kedaParameters[trigger], r.Parameter) || r.Name == "" || r.Key == "" {
			t.Errorf("%s: %+v", a.Metadata.Name, r)
		}
	}
	return a.Metadata.Name
}

// deployments gives the roles that have one, and checks that each runs what the program knows.
func deployments(t *testing.T, shards string) map[string]bool {
	t.Helper()
	roles := map[string]bool{}
	for _, d := range kedaDocuments(t, "deployments.yaml") {
		var dep struct {
			APIVersion string `yaml:"apiVersion"`
			Metadata   struct{ Name string }
			Spec       struct {
				Selector struct {
					MatchLabels map[string]string `yaml:"matchLabels"`
				}
				Template struct {
					Metadata struct{ Labels map[string]string }
					Spec     struct {
						Containers []struct {
							Args []string
							Env  []struct{ Name, Value string }
						}
					}
				}
			}
		}
		if err := d.node.Decode(&dep); err != nil {
			t.Fatal(err)
		}
		c := dep.Spec.Template.Spec.Containers[0]
		role, known := roleByName(c.Args[0])
		if !known || dep.APIVersion != "apps/v1" || dep.Metadata.Name != "imwatch-"+role.Name {
			t.Errorf("%s runs %v", dep.Metadata.Name, c.Args)
		}
		for k, v := range dep.Spec.Selector.MatchLabels {
			if dep.Spec.Template.Metadata.Labels[k] != v {
				t.Errorf("%s does not select its own pods", dep.Metadata.Name)
			}
		}
		env := map[string]string{}
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		var list []string
		for k, v := range env {
			list = append(list, k+"="+v)
		}
		if _, err := ReadConfig("", list); err != nil {
			t.Errorf("%s: %v", dep.Metadata.Name, err)
		}
		if role.Name == "detect" && env["IMWATCH_DETECTOR_SHARDS"] != shards {
			t.Errorf("detect shares %q shards, expected %s", env["IMWATCH_DETECTOR_SHARDS"], shards)
		}
		roles[role.Name] = true
	}
	return roles
}
