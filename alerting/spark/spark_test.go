package spark_test

import (
	"bytes"
	"image/png"
	"math"
	"testing"
	"unicode/utf8"

	"imwatch/alerting/spark"

	"pgregory.net/rapid"
)

func TestSigns(t *testing.T) {
	if got := (spark.Chart{Values: []float64{0, 1, 50, 100, -3}}).Signs(); got != "▁▂▄▇▁" {
		t.Error(got)
	}
	if got := (spark.Chart{Values: []float64{0, 0}}).Signs(); got != "▁▁" {
		t.Error(got)
	}
}

func TestAnyValuesDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := spark.Chart{
			Values: rapid.SliceOfN(rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1))), 0, 80).Draw(t, "values"),
			Marked: rapid.IntRange(0, 80).Draw(t, "marked"), Over: rapid.Bool().Draw(t, "over"),
		}
		b, err := c.PNG()
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil || img.Bounds().Dx() != spark.Width || img.Bounds().Dy() != spark.Height {
			t.Fatalf("%v", err)
		}
		if got := utf8.RuneCountInString(c.Signs()); got != len(c.Values) {
			t.Fatalf("%d signs for %d values", got, len(c.Values))
		}
	})
}

// The bars before the mark have another colour than those behind it, and a value of nothing has no bar.
func TestColours(t *testing.T) {
	b, err := spark.Chart{Values: []float64{1, 0, 2, 2}, Marked: 2}.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	at := func(bar int) [3]uint32 {
		r, g, b, _ := img.At(bar*spark.Width/4+spark.Width/8, spark.Height-20).RGBA()
		return [3]uint32{r >> 8, g >> 8, b >> 8}
	}
	if calm, none, hot := at(0), at(1), at(2); calm != [3]uint32{0xaf, 0xb8, 0xc1} || none != [3]uint32{0xff, 0xff, 0xff} || hot != [3]uint32{0xcf, 0x22, 0x2e} {
		t.Errorf("%x %x %x", calm, none, hot)
	}
}
