package rule_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every message that the package can give stands in the golden file of a bad rule, so that nobody is surprised by one
// that was never read.
func TestEveryMessageIsShown(t *testing.T) {
	shown := allGolden(t)
	for _, m := range messages(t) {
		if slices.Contains(unseen(), m.format) {
			continue
		}
		if !m.form.MatchString(shown) {
			t.Errorf("%s: no golden file holds the message %q", m.at, m.format)
		}
	}
}

// unseen are messages that no rule file of testdata/bad can bring about.
func unseen() []string {
	return []string{
		"writing findings: %w",                   // the writer fails
		"rendering annotation %s of rule %s: %w", // an alert that no sample is like
	}
}

func allGolden(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/bad/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	var all strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

type message struct {
	at     token.Position
	format string
	form   *regexp.Regexp
}

// messages finds the formats of all calls that report a fault.
func messages(t *testing.T) (all []message) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	verbs := regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]`)
	fset := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if !reports(call.Fun) {
				return true
			}
			for _, arg := range call.Args {
				if format, ok := literal(arg); ok && strings.Contains(format, " ") {
					pattern := regexp.QuoteMeta(strings.ReplaceAll(format, "%%", "\x00"))
					pattern = verbs.ReplaceAllString(strings.ReplaceAll(pattern, `\.`, "."), `(?:.|\n)*?`)
					all = append(all, message{fset.Position(arg.Pos()), format, regexp.MustCompile(strings.ReplaceAll(pattern, "\x00", "%"))})
				}
			}
			return true
		})
	}
	if len(all) < 80 {
		t.Fatalf("found %d messages", len(all))
	}
	return all
}

// reports says whether a function that is called notes a fault.
func reports(fun ast.Expr) bool {
	known := []string{"fail", "failAt", "warnAt", "note", "noteAt"}
	switch f := fun.(type) {
	case *ast.Ident:
		return slices.Contains(known, f.Name)
	case *ast.SelectorExpr:
		x, ok := f.X.(*ast.Ident)
		return slices.Contains(known, f.Sel.Name) || ok && x.Name == "fmt" && f.Sel.Name == "Errorf"
	}
	return false
}

// literal gives a text that stands in the source, joined where it is cut.
func literal(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		if x.Kind == token.STRING {
			s, err := strconv.Unquote(x.Value)
			return s, err == nil
		}
	case *ast.BinaryExpr:
		a, okA := literal(x.X)
		b, okB := literal(x.Y)
		return a + b, okA && okB
	}
	return "", false
}
