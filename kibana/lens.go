package kibana

import "imwatch/event"

// column is one column of a Lens layer.
type column struct {
	id   string
	body map[string]any
}

// layer is the one layer that each of our panels has.
const layer = "layer1"

func overTime() column {
	return column{"time", map[string]any{
		"label": "@timestamp", "dataType": "date", "operationType": "date_histogram", "sourceField": "@timestamp", "isBucketed": true,
		"scale": "interval", "params": map[string]any{"interval": "auto", "includeEmptyRows": true, "dropPartials": false},
	}}
}

// topOf gives the most frequent values of a field, by the column orderBy.
func topOf(field string, size int, orderBy string) column {
	return byField("top", "Top values of "+field, field, size, orderBy)
}

// byField is topOf for a table with several such columns.
func byField(id, label, field string, size int, orderBy string) column {
	dataType := "string"
	if f, ok := event.FieldByName(field); ok && f.Type == event.IP {
		dataType = "ip"
	}
	return column{id, map[string]any{
		"label": label, "customLabel": id != "top", "dataType": dataType, "operationType": "terms", "scale": "ordinal", "sourceField": field, "isBucketed": true,
		"params": map[string]any{
			"size": size, "orderBy": map[string]any{"type": "column", "columnId": orderBy}, "orderDirection": "desc",
			"otherBucket": true, "missingBucket": false, "parentFormat": map[string]any{"id": "terms"},
		},
	}}
}

// countOf counts the documents that a KQL query selects.
func countOf(id, label, query string) column {
	return measure(id, label, "number", "count", "___records___", query, map[string]any{"emptyAsNull": false})
}

// percentileOf gives a percentile of a number over the documents that a KQL query selects.
func percentileOf(id, label, field string, p int, query string) column {
	return measure(id, label, "number", "percentile", field, query, map[string]any{"percentile": p})
}

// firstOf and lastOf give the first and the last moment of the documents that a KQL query selects.
func firstOf(id, label, query string) column { return momentOf(id, label, "min", query) }

func lastOf(id, label, query string) column { return momentOf(id, label, "max", query) }

func momentOf(id, label, operation, query string) column {
	return measure(id, label, "date", operation, "@timestamp", query, map[string]any{"emptyAsNull": true})
}

func measure(id, label, dataType, operation, field, query string, params map[string]any) column {
	return column{id, map[string]any{
		"label": label, "customLabel": true, "dataType": dataType, "operationType": operation, "isBucketed": false, "scale": "ratio",
		"sourceField": field, "params": params, "filter": map[string]any{"language": "kuery", "query": query},
	}}
}

// panel is one visualization of the dashboard.
type panel struct {
	id, title, view, kind string // kind: lnsXY, lnsMetric, lnsDatatable
	only                  selection
	columns               []column
	visualization         map[string]any
	x, y, w, h            int
}

// figure is a panel of one number, in the topmost row of a dashboard.
func figure(id, title, view string, only selection, x, w int, of func(id, label, query string) column, query string) panel {
	return panel{id, title, view, "lnsMetric", only, []column{of("n", title, query)}, metric(), x, 0, w, 5}
}

// alertsBy is a panel of how many alerts there were, by the most frequent values of a field.
func alertsBy(id, title, field string, size, x, y int) panel {
	return panel{
		id, title, AlertsView, "lnsXY",
		selection{event.DatasetAlert, ""},
		[]column{topOf(field, size, "n"), overTime(), countOf("n", "alerts", `event.kind: "alert"`)},
		xy("bar_stacked", "top", "n"), x, y, 24, 12,
	}
}

// selection says which documents a panel looks at.
type selection struct {
	dataset string // event.dataset
	query   string // KQL; "": all of them
}

func ids(columns []column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.id
	}
	return out
}

// filterRef names the reference of a panel's filter.
const filterRef = "filter-index-pattern-0"

// attributes gives the panel's saved Lens state, by value.
func (p panel) attributes() map[string]any {
	columns := map[string]any{}
	for _, c := range p.columns {
		columns[c.id] = c.body
	}
	return map[string]any{
		"title": p.title, "type": "lens", "visualizationType": p.kind, "references": p.references(),
		"state": map[string]any{
			"visualization": p.visualization,
			"query":         map[string]any{"language": "kuery", "query": p.only.query},
			"filters": []any{map[string]any{
				"$state": map[string]any{"store": "appState"},
				"meta":   map[string]any{"alias": nil, "disabled": false, "negate": false, "type": "phrase", "key": "event.dataset", "params": map[string]any{"query": p.only.dataset}, "index": filterRef},
				"query":  map[string]any{"match_phrase": map[string]any{"event.dataset": p.only.dataset}},
			}},
			"datasourceStates": map[string]any{"formBased": map[string]any{"layers": map[string]any{
				layer: map[string]any{"columnOrder": ids(p.columns), "columns": columns, "incompleteColumns": map[string]any{}},
			}}},
			"internalReferences": []any{}, "adHocDataViews": map[string]any{},
		},
	}
}

func (p panel) references() []reference {
	return []reference{{"index-pattern", p.view, "indexpattern-datasource-layer-" + layer}, {"index-pattern", p.view, filterRef}}
}

// xy draws numbers over time, split by the column split where it is not "".
func xy(series, split string, accessors ...string) map[string]any {
	l := map[string]any{
		"layerId": layer, "layerType": "data", "seriesType": series, "xAccessor": "time", "accessors": accessors,
		"position": "top", "showGridlines": false,
	}
	if split != "" {
		l["splitAccessor"] = split
	}
	return map[string]any{
		"legend": map[string]any{"isVisible": true, "position": "right"}, "valueLabels": "hide", "fittingFunction": "None",
		"preferredSeriesType": series, "layers": []any{l},
	}
}

// metric shows the column n as one figure.
func metric() map[string]any {
	return map[string]any{"layerId": layer, "layerType": "data", "metricAccessor": "n"}
}

func table(columns ...string) map[string]any {
	out := make([]any, len(columns))
	for i, c := range columns {
		out[i] = map[string]any{"columnId": c}
	}
	return map[string]any{"layerId": layer, "layerType": "data", "columns": out}
}
