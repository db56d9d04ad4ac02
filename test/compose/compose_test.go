// Package compose checks docker-compose.yml with Compose's own loader. It is a module of its own because that loader
// brings many dependencies that the program does not need.
package compose

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// variables are what an operator must fill in.
var variables = []string{"ELASTIC_PASSWORD", "KIBANA_PASSWORD", "KIBANA_ENCRYPTION_KEY", "JWT_SECRET"}

func load(t *testing.T, env ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{root + "/docker-compose.yml"}, cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(context.Background())
}

func project(t *testing.T) *types.Project {
	t.Helper()
	var env []string
	for _, v := range variables {
		env = append(env, v+"=x")
	}
	p, err := load(t, env...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEverySecretIsAskedFor(t *testing.T) {
	for i, missing := range variables {
		var env []string
		for j, v := range variables {
			if i != j {
				env = append(env, v+"=x")
			}
		}
		if _, err := load(t, env...); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestExampleCoversEveryVariable(t *testing.T) {
	src, err := os.ReadFile(root + "/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(root + "/.env.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`[^$]\$\{([A-Z_]+)`).FindAllStringSubmatch(string(src), -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `=`).Match(example) {
			t.Errorf(".env.example lacks %s", m[1])
		}
	}
}

func TestServices(t *testing.T) {
	p := project(t)
	for _, role := range []string{"kafka", "elasticsearch", "kibana", "setup", "im-server", "ship", "index", "detect", "alert"} {
		if _, ok := p.Services[role]; !ok {
			t.Errorf("service %s is missing", role)
		}
	}
	for name, s := range p.Services {
		if s.MemLimit == 0 {
			t.Errorf("%s has no memory limit", name)
		}
		image := s.Image
		if i := strings.LastIndex(image, ":"); i < 0 || image[i+1:] == "latest" {
			t.Errorf("%s: image %s has no fixed tag", name, image)
		}
		longLived := s.Restart == "unless-stopped"
		if longLived && (s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) == 0) {
			t.Errorf("%s lives long and has no health check", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s beyond this host", name, port.Published)
			}
		}
		for dep, how := range s.DependsOn {
			if how.Condition == types.ServiceConditionStarted {
				t.Errorf("%s depends on %s only by its start", name, dep)
			}
		}
	}
}

func TestRolesWaitForSetup(t *testing.T) {
	p := project(t)
	for _, role := range []string{"im-server", "ship", "index", "detect", "alert"} {
		if got := p.Services[role].DependsOn["setup"].Condition; got != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s: waits for setup with %q", role, got)
		}
	}
}
