// A page that draws the data it holds.
import { showConversion } from './conversion.js';
import { showEvaluation } from './evaluation.js';

const data = JSON.parse(document.getElementById('data').textContent);
(data.verb === 'evaluate' ? showEvaluation : showConversion)(data);
