// Package spark draws the course of a count as a small picture and as a line of signs.
package spark

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
)

// The picture's size. It is drawn at twice the size at which a mail shows it, for sharp screens.
const (
	Width  = 1040
	Height = 160
)

// Chart is what is drawn: one bar a value, those from Marked on in the alert's colour. Values below 0 are drawn as 0.
type Chart struct {
	Values []float64
	Marked int
	Over   bool // it has ended: the mark is green
}

// Signs gives the chart as a line of blocks, ▁ for nothing to ▇ for the greatest; "" where there are no values.
func (c Chart) Signs() string {
	top := c.top()
	blocks := []rune("▁▂▃▄▅▆▇")
	var b strings.Builder
	for _, v := range c.Values {
		at := 0
		if top > 0 && v > 0 {
			at = max(1, int(math.Round(v/top*float64(len(blocks)-1))))
		}
		b.WriteRune(blocks[at])
	}
	return b.String()
}

func (c Chart) top() float64 {
	top := 0.0
	for _, v := range c.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			top = max(top, v)
		}
	}
	return top
}

// PNG gives the chart as a picture on white.
func (c Chart) PNG() ([]byte, error) {
	ground, calm := color.RGBA{0xff, 0xff, 0xff, 0xff}, color.RGBA{0xaf, 0xb8, 0xc1, 0xff}
	mark, axis := color.RGBA{0xcf, 0x22, 0x2e, 0xff}, color.RGBA{0xd0, 0xd7, 0xde, 0xff}
	if c.Over {
		mark = color.RGBA{0x1a, 0x7f, 0x37, 0xff}
	}
	img := image.NewPaletted(image.Rect(0, 0, Width, Height), color.Palette{ground, calm, mark, axis})
	fill := func(x0, y0, x1, y1 int, index uint8) {
		for y := max(0, y0); y < min(Height, y1); y++ {
			for x := max(0, x0); x < min(Width, x1); x++ {
				img.SetColorIndex(x, y, index)
			}
		}
	}
	const floor, head = Height - 4, 8
	fill(0, floor, Width, floor+2, 3)
	top := c.top()
	for i, v := range c.Values {
		if !(v > 0) || top == 0 || math.IsInf(v, 0) {
			continue
		}
		index := uint8(1)
		if i >= c.Marked {
			index = 2
		}
		x0, x1 := i*Width/len(c.Values), (i+1)*Width/len(c.Values)
		height := max(3, int(v/top*(floor-head)))
		fill(x0, floor-height, max(x0+1, x1-2), floor, index)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("drawing the chart: %w", err)
	}
	return b.Bytes(), nil
}
