{{- define "antiphon.locked" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "antiphon.args" -}}
- serve
- --engine
- {{ .Values.engine }}
{{- if ne .Values.model.source "bundled" }}
- --model
- /model
{{- end }}
{{- end }}

{{- define "antiphon.resources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- if include "antiphon.hasGpu" . -}}
{{- $gpu := dict .Values.gpu.resource .Values.gpu.count -}}
{{- $resources = mergeOverwrite $resources (dict "limits" $gpu "requests" $gpu) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{- define "antiphon.env" -}}
- {name: ANTIPHON_CONFIG, value: /etc/antiphon/antiphon.toml}
- {name: ANTIPHON_HOST, value: "0.0.0.0"}
- {name: ANTIPHON_PORT, value: "8080"}
- {name: ANTIPHON_MODEL_NAME, value: {{ .Values.model.name | quote }}}
- {name: ANTIPHON_PAIRS, value: {{ .Values.calls.pairs | quote }}}
- {name: ANTIPHON_SESSIONS_PER_PAIR, value: {{ .Values.calls.perPair | quote }}}
- {name: ANTIPHON_DRAIN__SECONDS, value: {{ .Values.drain.seconds | quote }}}
- {name: ANTIPHON_DRAIN__ANSWERS, value: {{ .Values.drain.answers | quote }}}
- {name: ANTIPHON_DRAIN__STAGGER, value: {{ .Values.drain.stagger | quote }}}
{{- $secrets := .Values.secrets }}
{{- if $secrets.apiKeys.name }}
- name: ANTIPHON_API_KEYS
  valueFrom: {secretKeyRef: {name: {{ $secrets.apiKeys.name }}, key: {{ $secrets.apiKeys.key }}}}
{{- else }}
- {name: ANTIPHON_WITHOUT_KEYS, value: "true"}
{{- end }}
- {name: ANTIPHON_HOST_NAMES, value: {{ include "antiphon.hostNames" . | quote }}}
{{- if ne .Values.resume.store "off" }}
- {name: ANTIPHON_RESUME__SECONDS, value: {{ .Values.resume.seconds | quote }}}
- name: ANTIPHON_RESUME__STORE
{{- if eq .Values.resume.store "memory" }}
  value: memory
{{- else if .Values.redis.enabled }}
  value: {{ include "antiphon.redisUrl" . }}
{{- else }}
  valueFrom: {secretKeyRef: {name: {{ $secrets.redisUrl.name }}, key: {{ $secrets.redisUrl.key }}}}
{{- end }}
{{- if $secrets.resumeKeys.name }}
- name: ANTIPHON_RESUME__KEYS
  valueFrom: {secretKeyRef: {name: {{ $secrets.resumeKeys.name }}, key: {{ $secrets.resumeKeys.key }}}}
{{- end }}
- name: ANTIPHON_RESUME__SERVER
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "antiphon.behaviour" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 4, periodSeconds: 15}
  selectPolicy: Max
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - {type: Pods, value: 1, periodSeconds: {{ .Values.autoscaling.scaleDownPeriodSeconds }}}
{{- end }}
