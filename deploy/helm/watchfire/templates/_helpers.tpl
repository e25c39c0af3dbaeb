{{- define "watchfire.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "watchfire.labels" -}}
{{ include "watchfire.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "watchfire.selector" -}}
app.kubernetes.io/name: watchfire
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "watchfire.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "watchfire.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "watchfire.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "watchfire.tokenSecret" -}}
{{ .Values.http.tokenSecret.name | default (printf "%s-http" (include "watchfire.name" .)) }}
{{- end }}

{{- /* The configuration as TOML: a value as JSON writes it is one of TOML, too. */ -}}
{{- define "watchfire.toml" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "map" $value) }}
{{ $key }} = {{ mustToJson $value }}
{{- end }}
{{- end }}
{{- range $section, $values := . }}
{{- if kindIs "map" $values }}

[{{ $section }}]
{{- range $key, $value := $values }}
{{ $key | quote }} = {{ mustToJson $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "watchfire.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $rules := list -}}
{{- if .Values.rules.shipped -}}
{{- $rules = append $rules "/etc/watchfire/rules/azure" -}}
{{- end -}}
{{- if or .Values.rules.files .Values.rules.existingConfigMap -}}
{{- $rules = append $rules "/etc/watchfire/own" -}}
{{- end -}}
{{- $_ := set $config "rules" (concat $rules ($config.rules | default list)) -}}
{{- /* Within the volume, so that it belongs to the worker's user alone. */ -}}
{{- $_ := set $config "state_dir" "/var/lib/watchfire/state" -}}
{{- $_ := set $config "static_membership" .Values.staticMembership -}}
{{- $http := dict "listen" "0.0.0.0:9464" "token_file" "/etc/watchfire/http/token" -}}
{{- $_ := set $config "http" (mergeOverwrite ($config.http | default dict) $http) -}}
{{- $kafka := $config.kafka | default dict -}}
{{- if .Values.staticMembership -}}
{{- $usual := dict "session.timeout.ms" (.Values.sessionTimeout | toString) -}}
{{- $_ := set $config "kafka" (mergeOverwrite $usual $kafka) -}}
{{- end -}}
{{- include "watchfire.toml" $config | trim -}}
{{- end }}

{{- /* What the worker and the Job for topics both have in their containers. */ -}}
{{- define "watchfire.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "watchfire.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
# A volume with much in it is not gone through at each start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "watchfire.env" -}}
{{- if .Values.eventHubs.connectionStringSecret.name }}
- name: EVENTHUBS_CONNECTION_STRING_FILE
  value: /etc/watchfire/eventhubs/connection-string
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "watchfire.mounts" -}}
- { name: config, mountPath: /etc/watchfire/config, readOnly: true }
- { name: http-token, mountPath: /etc/watchfire/http, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- if or .Values.rules.files .Values.rules.existingConfigMap }}
- { name: rules, mountPath: /etc/watchfire/own/rules, readOnly: true }
{{- end }}
{{- if or .Values.rules.lists .Values.rules.existingListsConfigMap }}
- { name: lists, mountPath: /etc/watchfire/own/lists, readOnly: true }
{{- end }}
{{- if .Values.eventHubs.connectionStringSecret.name }}
- { name: eventhubs, mountPath: /etc/watchfire/eventhubs, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "watchfire.volumes" -}}
{{- $name := include "watchfire.name" . -}}
- name: config
  configMap: { name: {{ $name }}-config }
- name: http-token
  secret:
    secretName: {{ include "watchfire.tokenSecret" . }}
    items: [{ key: {{ .Values.http.tokenSecret.key }}, path: token }]
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- if or .Values.rules.files .Values.rules.existingConfigMap }}
- name: rules
  configMap: { name: {{ .Values.rules.existingConfigMap | default (printf "%s-rules" $name) }} }
{{- end }}
{{- if or .Values.rules.lists .Values.rules.existingListsConfigMap }}
- name: lists
  configMap: { name: {{ .Values.rules.existingListsConfigMap | default (printf "%s-lists" $name) }} }
{{- end }}
{{- with .Values.eventHubs.connectionStringSecret }}
{{- if .name }}
- name: eventhubs
  secret:
    secretName: {{ .name }}
    items: [{ key: {{ .key }}, path: connection-string }]
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "watchfire.podLabels" -}}
{{ include "watchfire.labels" . }}
{{- if .Values.workloadIdentity.enabled }}
azure.workload.identity/use: "true"
{{- end }}
{{- with .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
