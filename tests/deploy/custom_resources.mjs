// Holds custom resources against the schemas of their operators.
//
// Reads a JSON array of documents from stdin; says of each of a known kind whether it is valid.

import { readFileSync } from 'node:fs';

import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';

const kinds = { ScaledObject, PrometheusRule, ServiceMonitor };
const checked = [];
for (const document of JSON.parse(readFileSync(0, 'utf8'))) {
  const Kind = kinds[document.kind];
  if (Kind) {
    new Kind(document).validate();
    checked.push(document.kind);
  }
}
console.log(checked.sort().join(' '));
