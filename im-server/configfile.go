package imserver

import (
	"crypto/sha256"
	"fmt"
	"os"
	"time"
)

// Reload is where a changed configuration comes from.
type Reload struct {
	Path string                 // the file that is watched; "": none
	Load func() (Config, error) // reads the configuration anew: file, environment, secrets
}

// watchConfigEvery is how often the configuration file is looked at.
const watchConfigEvery = 5 * time.Second

// stamp tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	content  [sha256.Size]byte
}

// stampOf looks at the file; its content is read only if time or size differ from before, and who changed it is found
// out only then.
func stampOf(path string, before stamp) (now stamp, by string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return before, "", fmt.Errorf("looking at the configuration: %w", err)
	}
	if info.ModTime().Equal(before.modified) && info.Size() == before.size {
		return before, "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return before, "", fmt.Errorf("reading the configuration: %w", err)
	}
	by = fmt.Sprintf("file %s of %s", path, info.ModTime().UTC().Format(time.RFC3339))
	if owner := fileOwner(info); owner != "" {
		by += ", owner " + owner
	}
	return stamp{info.ModTime(), info.Size(), sha256.Sum256(b)}, by, nil
}

// rememberConfig notes the version of the file that the server starts with.
func (s *Server) rememberConfig() {
	if r := s.deps.Reload; r != nil && r.Path != "" {
		s.reloading.stamp, _, _ = stampOf(r.Path, stamp{}) // what cannot be read now counts as changed later
	}
}

// watchConfig takes up a changed file. It is called now and then.
func (s *Server) watchConfig() {
	r := s.deps.Reload
	if r == nil || r.Path == "" {
		return
	}
	s.reloading.mu.Lock()
	defer s.reloading.mu.Unlock()
	before := s.reloading.stamp
	now, by, err := stampOf(r.Path, before)
	if err != nil || by == "" {
		return // a file that is away is being replaced, or was never there
	}
	s.reloading.stamp = now
	if now.content != before.content {
		s.loadConfig(by)
	}
}

// reloadConfig reads the configuration anew although nothing may have changed: what it refers to may have.
func (s *Server) reloadConfig() {
	r := s.deps.Reload
	if r == nil {
		return
	}
	s.reloading.mu.Lock()
	defer s.reloading.mu.Unlock()
	by := "signal SIGHUP"
	if r.Path != "" {
		if now, who, err := stampOf(r.Path, stamp{}); err == nil {
			s.reloading.stamp, by = now, who
		}
	}
	s.loadConfig(by)
}

// loadConfig reads and takes the configuration. The lock of changes is held.
func (s *Server) loadConfig(by string) {
	wanted, err := s.deps.Reload.Load()
	if err != nil {
		s.reloading.tries.WithLabelValues("refused").Inc()
		s.refuseConfig(by, err)
		return
	}
	changes, err := s.reconfigure(&wanted, by)
	if err != nil {
		s.refuseConfig(by, err)
		return
	}
	s.reloading.bad.Set(0)
	s.deps.Log.WithField("source", by).WithField("keys", len(changes)).Info("the configuration was read again")
}
