{{- define "antiphon.name" -}}
{{- if contains "antiphon" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-antiphon" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- /* The names by which clients may ask: those of the ways in, the Service's, and settings.host_names. */ -}}
{{- define "antiphon.hostNames" -}}
{{- $name := include "antiphon.name" . -}}
{{- $inside := printf "%s.%s" $name .Release.Namespace -}}
{{- $names := list $name $inside (printf "%s.svc" $inside) (printf "%s.svc.cluster.local" $inside) -}}
{{- if .Values.ingress.enabled -}}{{- $names = append $names .Values.ingress.host -}}{{- end -}}
{{- if .Values.gateway.enabled -}}{{- $names = concat $names .Values.gateway.hostnames -}}{{- end -}}
{{- with .Values.settings.host_names -}}{{- $names = concat $names . -}}{{- end -}}
{{- join "," (uniq $names) -}}
{{- end }}

{{- define "antiphon.selector" -}}
app.kubernetes.io/name: antiphon
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "antiphon.labels" -}}
{{ include "antiphon.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "antiphon.account" -}}
{{- .Values.serviceAccount.name | default (ternary (include "antiphon.name" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- /* Calls that one pod takes. */ -}}
{{- define "antiphon.places" -}}
{{- mul .Values.calls.pairs .Values.calls.perPair -}}
{{- end }}

{{- /* Seconds from the pod's deletion until the server has ended for certain. */ -}}
{{- define "antiphon.longestEnd" -}}
{{- $drain := .Values.drain -}}
{{- add $drain.preStopSeconds $drain.seconds $drain.answers $drain.stagger 10 -}}
{{- end }}

{{- define "antiphon.grace" -}}
{{- $needed := include "antiphon.longestEnd" . | int -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- $needed -}}
{{- else if lt (int $given) $needed -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and the drain takes up to %d s: calls would be killed" (int $given) $needed) -}}
{{- else -}}
{{- int $given -}}
{{- end -}}
{{- end }}

{{- define "antiphon.hasGpu" -}}
{{- if ne .Values.engine "embedded" }}yes{{ end -}}
{{- end }}

{{- define "antiphon.redisUrl" -}}
{{- if .Values.redis.enabled }}redis://{{ include "antiphon.name" . }}-redis:6379/0{{ end -}}
{{- end }}

{{- define "antiphon.redisSelector" -}}
app.kubernetes.io/name: antiphon
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: redis
{{- end }}
