// The packages of package.json, from the folder ADMIN_TOOLS that they were installed in.

import { createRequire } from 'node:module';

const require = createRequire(`${process.env.ADMIN_TOOLS}/package.json`);

export const axe = require('axe-core');
export const { chromium } = require('playwright-core');
