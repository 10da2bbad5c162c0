BEGIN TRANSACTION;
CREATE TABLE aligntree_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT aligntree_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "aligntree_version" VALUES('0002');
CREATE TABLE asks (
	search_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	node_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	payload JSON NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_asks PRIMARY KEY (search_id, number), 
	CONSTRAINT fk_asks_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_asks_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,'sample','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'{"n": 1, "max_tokens": 12, "unit": "tokens"}',1,'2e1dddd960a4acc44a5de818cb35acb5e19c0269370307e762b4ce687bb3ee0a');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,'sample','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',1,'c4509c152effa8cd482e80f95b16272e9d7b7525523f8095eaa5ec561f59ed1f');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,'sample','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'{"n": 1, "max_tokens": 12, "unit": "tokens"}',1,'8264a0a3b21863b1191378599e9da894ea55a5ff62f9a59297104f319a4ecc04');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,'sample','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',1,'f3a01fcb4bd87b5fef2f476bd0c2934a2178de5fc465d6ee18ebb354833752d4');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,'sample','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',12,'3435323654c9329c97068645722803129cff4b306337bd761bbf83da4b3c6dc4');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,'sample','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',12,'5389bc6d74b37882934f89b21c565d2779d21c97e35bbf41f61c6074a9f21e2d');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,'sample','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',1,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',23,'0f7be142f09f63e818aface35d4052797fdba7a1d2aa9f4e06653f91fc47b618');
INSERT INTO "asks" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,'sample','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',1,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',23,'75b0087fba33b7d1f9cb43b5026c6ed8f6192d5b7c9cc11b992997a2eed04520');
CREATE TABLE "budgets" (
	scope VARCHAR(64) NOT NULL, 
	unit VARCHAR(16) NOT NULL, 
	reserved BIGINT NOT NULL, 
	spent BIGINT NOT NULL, 
	CONSTRAINT pk_budgets PRIMARY KEY (scope, unit)
);
INSERT INTO "budgets" VALUES('all','requests',0,8);
INSERT INTO "budgets" VALUES('all','tokens',0,114);
INSERT INTO "budgets" VALUES('all','nano_usd',0,0);
INSERT INTO "budgets" VALUES('day:2026-11-21','requests',0,8);
INSERT INTO "budgets" VALUES('day:2026-11-21','tokens',0,114);
INSERT INTO "budgets" VALUES('day:2026-11-21','nano_usd',0,0);
INSERT INTO "budgets" VALUES('run:01a1ff87-99d9-77e9-ad02-455ea97c9e1e','requests',0,8);
INSERT INTO "budgets" VALUES('run:01a1ff87-99d9-77e9-ad02-455ea97c9e1e','tokens',0,114);
INSERT INTO "budgets" VALUES('run:01a1ff87-99d9-77e9-ad02-455ea97c9e1e','nano_usd',0,0);
CREATE TABLE calls (
	search_id VARCHAR(36) NOT NULL, 
	ask INTEGER NOT NULL, 
	part INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	sent BIGINT NOT NULL, 
	request JSON NOT NULL, 
	worst_tokens BIGINT NOT NULL, 
	worst_price BIGINT, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_calls PRIMARY KEY (search_id, ask, part, attempt), 
	CONSTRAINT fk_calls_search_id_ask FOREIGN KEY(search_id, ask) REFERENCES asks (search_id, number), 
	CONSTRAINT fk_calls_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_calls_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,0,0,1795288439310,'{"n": 1, "max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 700491356, "logprobs": 5, "text_sha256": "4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51"}',28,NULL,2,'d10756d14e54c9842e3475d18ebc37c68a06ea8007cb2c09344cf0a46b9d4e0f');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,0,0,1795288439312,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1452156622, "logprobs": 5, "text_sha256": "4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51"}',24,NULL,2,'b4d34a42cd55833dcda44c21501cc7d8996db1b051654672f61f2bb5f9e75e05');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,0,0,1795288439314,'{"n": 1, "max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 300821407, "logprobs": 5, "text_sha256": "57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c"}',38,NULL,2,'87d26dbef47e6de5ddcb3532ec1c304be7b19a9bbc9b2c2b90f3da1fef410ac4');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,0,0,1795288439314,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1359634200, "logprobs": 5, "text_sha256": "57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c"}',34,NULL,2,'165411bc611f1034b5ed6822d4e8985dab210804a888876bda4a7e68cc82340f');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,0,0,1795288439369,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 29445110, "logprobs": 5, "text_sha256": "b1b207979d5948fed84c0b6dc65d8d2f647f13e659ed511f776821133933b290"}',41,NULL,13,'050f91028fc5a03ec23f3777696c5debfea761963d2107eb2ccdf9e16db201c9');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,0,0,1795288439370,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1494016519, "logprobs": 5, "text_sha256": "45b9a17c23de5eb65f8e6f93e35969664ab6a60648d089f7d39608a01e0176d7"}',49,NULL,13,'8cd9f45c051bb0985ed2558fcd82c7b4e6915754078b5c6591b07409adb49ea0');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,0,0,1795288439385,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 2041304115, "logprobs": 5, "text_sha256": "4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51"}',24,NULL,24,'b46df088bc5ce97c45acde4ba66ee6859db9085d15dba886cb3d5ed7bb1753a3');
INSERT INTO "calls" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,0,0,1795288439449,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1289138764, "logprobs": 5, "text_sha256": "57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c"}',34,NULL,24,'57a2f3fe2f79e4560735f1f51e744b7985bbc95bc02765d7ff87a17814992f95');
CREATE TABLE nodes (
	search_id VARCHAR(36) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	parent_id VARCHAR(64) NOT NULL, 
	ask INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	finish VARCHAR(16) NOT NULL, 
	tokens INTEGER NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_nodes PRIMARY KEY (search_id, id), 
	CONSTRAINT fk_nodes_search_id_ask FOREIGN KEY(search_id, ask) REFERENCES asks (search_id, number), 
	CONSTRAINT fk_nodes_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_nodes_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447','20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,' not is bad sea not is, so and not the good sea','length',12,4,'81dbfb868d63b11c568b63fffd04bbe7869b57cc509dc2d27c1772f8a1fe5ab5');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,', so not kind bad','length',4,4,'40d4264f818e01c86c1f4100dd43b4e8196188acf2ce99afc64bdb82f1b10978');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,' bad is the bad','length',4,5,'48b2df3343a94bcfc564643b6e445b851fe79bfecf868ae4a38d818cbfd6730c');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb','4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,' the not','stop',2,4,'18f775bd17321d41fa86f2105b353b51ba8693a02e210ebfdaebcdf88c7892b5');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,' cold bad cold kind','length',4,4,'04c2b19afe1ed6dad6040dca700002f1f4b9a7c82965d8e0d90f285bf5bad103');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,' the bad is the','length',4,5,'92929aee3afb0adb817d1d723ea76c6ebce688f5eda7a4c3616f41f5eea81053');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af',1,' bad kind not good','length',4,15,'8807dabaf641a01674bdb3cbb7d8db67407c0e0fbaa6c866945f5124caed0229');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af',1,', so good good','stop',3,16,'afaf1d655ed94e5d214e5ade2876ed6283bf210cceac90ad9de005236c602ee5');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',2,' kind kind good kind','length',4,26,'342921ae493bd6c1bc67f7f2cb062424f9216dddd4e467d5d7b1a61a0b609100');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',2,' cold bad and good','length',4,27,'1181134b0dc5bdf9b45313b889f6670932be84bbe0b47d02d27da22fe66fb3bc');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e',1,' kind cold kind good','length',4,15,'f09352b21b329241a9b1ffedb33332d93feab792425091c5fc9b7477d879edb9');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e',1,' and good bad kind','length',4,16,'f0f75b557181dcac09397efea70b343132b1f199bc9003be97832efadd074336');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',2,' cold','stop',1,26,'58d65b39a360c0d534028cc7af9ad943d41a0743888add215b0116fb24a81856');
INSERT INTO "nodes" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',2,' cold kind is, so','length',4,27,'31857f1e3b6c301e8a11ee0c163739e12c469aad32fa5880afe74ea9e4c6b9be');
CREATE TABLE replies (
	search_id VARCHAR(36) NOT NULL, 
	ask INTEGER NOT NULL, 
	part INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	received BIGINT NOT NULL, 
	ok BOOLEAN NOT NULL, 
	failure JSON, 
	continuations JSON, 
	body BLOB NOT NULL, 
	input_tokens BIGINT NOT NULL, 
	cached_tokens BIGINT NOT NULL, 
	output_tokens BIGINT NOT NULL, 
	estimated BOOLEAN NOT NULL, 
	price BIGINT, 
	latency DOUBLE NOT NULL, 
	request_id TEXT, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_replies PRIMARY KEY (search_id, ask, part, attempt), 
	CONSTRAINT fk_replies_search_id_ask_part_attempt FOREIGN KEY(search_id, ask, part, attempt) REFERENCES calls (search_id, ask, part, attempt), 
	CONSTRAINT fk_replies_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_replies_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,0,0,1795288439332,1,NULL,'[{"text": " not is bad sea not is, so and not the good sea", "finish": "length", "tokens": [[" not", -2.4000000000000004], [" is", -1.8], [" bad", -2.0], [" sea", -1.3], [" not", -2.6], [" is", -0.7000000000000001], [", so", -2.8000000000000003], [" and", -2.6], [" not", -1.4000000000000001], [" the", -1.0], [" good", -0.8], [" sea", -0.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54D16E83300CFC9528CF14016DD7AEBF5255280503D920464D2A5542FCFB6CC3DAD29769EF4528C9F9EC3B03C283B6A53E285DE948693C7F41111806B885BCC0AE6F2158744C16173001383925D46109AD14E2A5BBB646321AB405788A1E076D5D09373A26D1A4C6B9CA6150D6ABB329950733C3487954C695024303AA46149E352BEBAC6F72F2F6D40669B4E0EAD030D562DD5FF0CC7E830EF80D4EACC5857992968DDC649F155F687617481D2C68EA4476EEE65E7FE2A761ABFCC9FDB8CAE24DB2B836915AA5F19ED62C4EE4BC96F307AD49BC5B26A742ED97C1477EFA2A9E4A3011A9BDACDBA9AF7ED1D530F77E98B3A7372168CBE89B3E11C36C220B6C67B8FD7D1D84D6713246EA2DF5967A4BFD5BEA34CFBE1CABCA038FC02355FC719F46A9BB7A53838C36FAA1BB3EE4F709B7E3517B1FCD8F789AC91008A67D8A7D8EE30FE1DC7416',7,0,12,0,NULL,1.41312659980030730366e-02,NULL,3,'d255f6dd06048cfaf09c783c34e7a1f2f6f85cc7a66f965f83038bdc887d8d90');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,0,0,1795288439339,1,NULL,'[{"text": ", so not kind bad", "finish": "length", "tokens": [[", so", -1.3], [" not", -2.0], [" kind", -0.8], [" bad", -2.4000000000000004]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " bad is the bad", "finish": "length", "tokens": [[" bad", -2.6], [" is", -2.0], [" the", -2.5], [" bad", -1.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54CB8E83300CFC9528678AA08FDDAABF822A44C140B6214624952A21FEBDB64B697BDAC36A2FAB4548B1339E31C1A38CDA54FAA074AD23A5F1F40565E034C035E42576BD8560D031580E5004E0E294B20E2BB042C4A1BBD8422A5A342578DACD466D5C05570A93E8AEC6B591F2A81C067526549D8A8A59B571C6B739A97B6A4455165C135A862C36FD8027561C75C0333811171DC6594B56D69380358FDC918BF3177EB64AE34DA456EB983E6895C47B89B7C9DBB3BD53FB37E2A85583C8E72689E4D144B2DDD2FB302B6B55A29D53418B3BB8899329527F5CEA388F3AC7BAF6C013CF8831BFC7495A3D6C91BED882FB29E35568E107A6785049491652FBCE12EBF863B1841C878FFCEF81DFF400E3175F3420E3A31FDCF5215FA6F8C9B7C872EB3CF7F7329350D8E756BA9BA61B54E14069',7,0,8,0,NULL,2.3775542998919263482e-02,NULL,3,'4b55184ac7626e73ee9a62e8fc50042a093b6ff807ac11f3e7ecc7b7a3bea441');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,0,0,1795288439347,1,NULL,'[{"text": " the not", "finish": "stop", "tokens": [[" the", -0.6000000000000001], [" not", -2.9000000000000004]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CAD51DB8A833010FD95906795D4BDD1FD15118971D46C6346CC140AE2BF6F264ABBBE6F9E72E65C98CB2A6D27BF85EC652624B63F608821C1831A83D3EC802C7A26CD029A80C5978826ECC025232ED3DDE9A418D11A08B15AADD2FA0E1EF1ABB23D8DB58246101E89C5BDF5368C4D0C0D313F92817066C2E1302FD872CC2A096FE0536232339F026A4E65AEF923AF72557CAAD38BADE665713D17DF77F77CF2AE520C883C5E7E29B869D1EA037D30BAC58118963B69D01D30B17A27DF0AB565E2DFA2EA63770DF67D005E61151DAADE12730F7A80B4A538C43453F35CD6171FE379BC57BD4C739376AFD275DB7E018820923F',7,0,2,0,NULL,2.78809910014388151466e-02,NULL,3,'b9bba07d672b946ad003cd6d5b0af4a08778761d08a557e7f55f55b437df62df');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,0,0,1795288439353,1,NULL,'[{"text": " cold bad cold kind", "finish": "length", "tokens": [[" cold", -2.4000000000000004], [" bad", -0.5], [" cold", -1.1], [" kind", -2.3000000000000003]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " the bad is the", "finish": "length", "tokens": [[" the", -2.8000000000000003], [" bad", -0.7000000000000001], [" is", -0.2], [" the", -1.9000000000000001]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54DB8A833010FD9590672BDA0BEDF6574A112FA3661B1D69522888FFBE33A3B5B5B02F0BFBB2AC88C99C3973123387F4DA14FAA874A903A531FB84DC73E8E1EE931C9BCE8237D87232BF42EA81C931450D1660A510AFCDCDA6C2A8D1E4E0083DF5DAB405DC691A05A31A73558EB650595A8C930B71B8AE34AD717542FA8E96229E85B6F235A72C56DD1533D6ECB5C70BB4223F2A3181D5649C01513DF3AA4C4F5E144EAB75B88D16CF3650AB28DCD1370EE9B788B0591236A352B7D0E9B5AA10F928A82C7AEC42A2DDBC8523AB45F3D624946C3A2637613404EA8F4B9DA7EE2758960ED80427AA98DEF3204B3D9C12BF3AC5D72046318EA73F75C9543A9BC4381918FED6218737038843F64B3016702DB6F9784BFD1BE6370DC3F99B4B2B905ED301379D4FE696EFF9169A6FAD277E909EF8D43EA178370C5FC4F64DB3',7,0,8,0,NULL,3.2850458999746479094e-02,NULL,3,'c45089b90f34c34ab4b8e074d221c2dcf8469a27b5a53b66e05b0711531febc7');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,0,0,1795288439378,1,NULL,'[{"text": " bad kind not good", "finish": "length", "tokens": [[" bad", -0.6000000000000001], [" kind", -1.0], [" not", -1.2000000000000002], [" good", -1.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": ", so good good", "finish": "stop", "tokens": [[", so", -2.3000000000000003], [" good", -1.9000000000000001], [" good", -0.9]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CE554DB6E83300CFD9528CF14715937B5BF8210E2122E6B881149A54A887FAF6D182D9ABABD6F0841EC631F07CE5126D955F22C642D3D21A1F854A5A3D0A99BCB4AE807AD5C0786C07254B953541C62D443A53437C2D85F75CE152D74A5B2984D26D9994ADD7019780B1BD58A22AFC4051161C08906A0A2B6BA339D6D33A4B73809CBB4328D6B09D2D00C2314443949071765989D890867325E2021BF9934A599549D3D112487C07F0F76177EC821F4037E467B28E2E471611A763CD33AE5BC362FBBE1E8B8ED09C368014BD06BC868BE80B11FCC9EF8E354E9AA7D06756D155920C18EF54E671EF5E593F0C9279EB0C05B78ED118BAAFCE410A27818E23767447EBC973F66F94FDFED12F8A77FE889D742A28A045E6DDE28D6007F493FB86C93E2830E86ED20D9E71DB85C3F52E1DB3CDF01677835B9',7,0,7,0,NULL,6.61150700034340843558e-03,NULL,14,'495708993742ef74b57f5c6f7b5fcfb9bd744e1606a7f757fc3d8c41600e7a0a');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,0,0,1795288439391,1,NULL,'[{"text": " kind kind good kind", "finish": "length", "tokens": [[" kind", -2.3000000000000003], [" kind", -0.4], [" good", -0.8], [" kind", -1.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " cold bad and good", "finish": "length", "tokens": [[" cold", -1.9000000000000001], [" bad", -2.6], [" and", -0.2], [" good", -0.7000000000000001]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54DB8A84300CFD15E9B3235ED69DD9F91511A95A2F3BD588766040FCF7495AADE3C2BE2CECCBB25242939C9CB4E6D099B525BB3AAC62AEC320FF148522578987CA0AE80629540B3D258B517025081CA0D74129A42E84B1BB4BAE110DB48598309ACCACED4BF1C0ADEF1A36C23A378C1A5303981D15566DDF4E4D860D26EC854029FA5A359492500F23E4443A330537D16B7E666BF70D51EE9194FA123E7BA1484EA117F9872F729D93EFBD697B411B78B1291D0E85F3CA7F2504DDC9C9F9EAC5B627BAA1491620575767B949469EBFB8CE1FA74AD78167505593A0B92758B1AE74D1AD367104AFE2204A6A4A6476983F91863EDB7683ED745621DF0823F03E8EC2C0B3E1EDDEB530426DCF5F00FF3AF94D9D50FE3EF15AE8F9E20FEE0695D9319FE9BDB1EFD31EBFE899282EF750102FCB13CF734B63',7,0,8,0,NULL,4.48550800501834601163e-03,NULL,25,'25f629472fe52081b3d94e5f96c652a9bb487ae2bb63d9fba70deb333f9b99b0');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,0,0,1795288439434,1,NULL,'[{"text": " kind cold kind good", "finish": "length", "tokens": [[" kind", -1.1], [" cold", -1.3], [" kind", -3.0], [" good", -0.2]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " and good bad kind", "finish": "length", "tokens": [[" and", -0.1], [" good", -0.2], [" bad", -2.5], [" kind", -2.4000000000000004]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54DB8A833010FD9590672BDA0BBBF4578A48D478D94647348582F8EF9D99A4A97DD897857D59562464664ECE643C0717D955F22C642D2321A1F8D2A5A5D0EABBCD4BE847A36D070315CB492BAB099C62D443A50D1F84A9BF19C58816BA52CF98BD2CB21B2A7DC76D123936C28A2B664509A672BB06A0A283753774739B6383197B21D0E8A1B12D950C34E30405912ED2C2550FCCEFA808C074BC0919A6CDA82FE1F30DC56597C6787B5C0FB81E62BCDC2E89F70E3BBE2117CF7326340D210AE5A353E886E1DE15F9161C7255B922765823F1C7A932AF700E753D6B12FA8227FC9BADDCEAE98674EB06E52D408D837A3FF182DA0AFF9C24CCF08D13127602AA1FF9A1703D266FCFF1DF18BF690CAADF66D56816143F703FDA3CE8FA417F94F0077AE53F5913ABCC2B959ED6F50198CD45AB',7,0,8,0,NULL,5.30685420017107389867e-02,NULL,14,'f79ac7d1e21165a26339e94def25beb61ae46a46c2289a7b833e8eea30c8483e');
INSERT INTO "replies" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,0,0,1795288439503,1,NULL,'[{"text": " cold", "finish": "stop", "tokens": [[" cold", -0.8]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " cold kind is, so", "finish": "length", "tokens": [[" cold", -1.9000000000000001], [" kind", -1.5], [" is", -0.30000000000000004], [", so", -1.6]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CDD53DB6E83300CFD9528CF148576DDED571042010C640D189154AA84F8F7D901C13A75DAD35E8690C8F1710E3E76324953C977216B190989C507949EA1879BCF4BEC060BDE60CF643982F6C0C909A10E2BB061238EDDD5EA90D1A229C151349DA4E92BB8D152458B1AE78A126DC599B5E98D6B735274244E8CF3383061B119462C5863921E2FD007B97567C65A1CCCBFE4A50715BF2ECC70179FA46810B9E043127319A2D02B3A33BA50890C8F0B19FE106060F5429E623567AB851CEBDA013B495536CF91D85D26DF5D0675615C241C3E746CA16F7CFBBBE7AD525E18C79FA0F9432F92F84DDD3D54D96298DA74BAA7D453E09EFFB479DCA57F2DF5E87444627DE998307F75BA81305F6A7037F87C1BF30BDF9BED9EEDF1739889D7760F25C779FE04D7330293',7,0,5,0,NULL,5.00572359960642643272e-02,NULL,25,'865e97c19e61ff24a351a2b98e26a7e971b3bc7aa451822f276dd2fc562ab705');
CREATE TABLE "runs" (
	id VARCHAR(36) NOT NULL, 
	created BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	config JSON NOT NULL, 
	config_sha256 VARCHAR(64) NOT NULL, 
	versions JSON NOT NULL, 
	prices JSON NOT NULL, 
	finding JSON NOT NULL, 
	heads JSON, 
	limits JSON NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('01a1ff87-99d9-77e9-ad02-455ea97c9e1e',1795288439259,'run','{"name": "run", "strong": {"model": "text-completion-openai/formula", "api_base": "http://127.0.0.1:44739/v1", "api_key_env": null, "template": null, "logprobs": 5, "choices_per_request": 4, "concurrency": 16, "timeout": 120.0, "retry_for": 3.0, "vocabulary": 200000, "input_price": null, "output_price": null}, "weak": {"reference": "embedded", "adapter": "sentiment", "template": null, "eos": true, "beta": 1.0, "per_token": false, "device": "auto", "number_format": "auto", "batch_tokens": 4096}, "sampling": {"max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": []}, "methods": [{"label": null, "limits": {"iterations": null, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "base"}, {"label": null, "limits": {"iterations": 3, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "aligntree", "preset": "default", "children": 2, "chunk": "tokens", "chunk_tokens": 4, "rule": "ea_puct", "exploration": 1.5, "entropy_weight": 0.2, "entropy": "estimate", "backup": "max", "complete_children": "value", "top_up": false, "widening": {"k0": 4.0, "alpha": 0.4}, "min_max": false, "depth_fair": false, "rerank_parents": null, "in_flight": 1}], "seeds": [0], "searches_at_once": 4, "budget": {"requests": null, "tokens": null, "usd": null, "day": {"requests": null, "tokens": null, "usd": null}, "all": {"requests": null, "tokens": null, "usd": null}}, "gold": "vader"}','7ebe40399dbd2f22fc3e27f31da621381f334171fce0ebfaeaa027912acf375e','{"python": "3.11.7", "aligntree": "0.1.0", "litellm": "1.106.2", "openai": "2.54.0", "peft": "0.21.2", "prefect": "3.8.8", "sqlalchemy": "2.1.9", "torch": "2.13.0+cpu", "transformers": "5.23.0"}','{}','{"strong": {"model": "text-completion-openai/formula", "choices": 4, "logprobs": 5, "usage": {"input": 7, "output": 4, "cached": 0, "estimated": false}, "details": {"latency": 0.155, "price": null}}, "weak": {"scorer": "formula", "scale": "words", "device": "none"}, "entropy": "bits"}','{"01a1ff87-99dc-7104-b8ba-abbffafdc447": "f977e024564d535d22e93fa1bd20b25f6fbff83c75e70eee9a4e376b230e62e6", "01a1ff87-99dc-7104-b8ba-abc0dc32759d": "129674bb4e5f4cbe3b13c43a5b6d0fd44fa56126913c3282fd960aa8626c6059", "01a1ff87-99dc-7104-b8ba-abc1b69e3fcb": "1ee676c81e1ac135f813ffdaeec8a19a45ebc854f5719d39f276981916df77c3", "01a1ff87-99dc-7104-b8ba-abc2abb1170b": "950253c39d8862d4835a48c861f27e79e621039ca38e41a909ba758f2685df9d"}','{"run": {}, "day": {}, "all": {}}','2c874d0bbd761cf673f41c9213ea26311bc77dd5374270be2c115ae0c60a0364');
CREATE TABLE scores (
	search_id VARCHAR(36) NOT NULL, 
	ask INTEGER NOT NULL, 
	node_id VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	value DOUBLE NOT NULL, 
	parts JSON NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_scores PRIMARY KEY (search_id, ask, node_id, name), 
	CONSTRAINT fk_scores_search_id_ask FOREIGN KEY(search_id, ask) REFERENCES asks (search_id, number), 
	CONSTRAINT fk_scores_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_scores_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,'4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',5,'96b302c20cebddbbbfa18661b6329035662c7d69026cac7eb463cc0d90a7fa67');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,'20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7','formula',0.189,'{"words": 12.0}',6,'6633d773d7e11fad8743dcd88836b12784de182864e179367c9154824f70f1fb');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,'20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7','prior',1.90456142630379882119e-01,'{"rung": "logprobs"}',7,'b3d7255ef5f5cdda45ed4a409136426e66d0dbfba1c1d44fa7ca3ff6734e7055');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,'4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',6,'f8fc317d0a4815708ccf2b399556c79f513637fda759838fda7d089c22cb2807');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,'07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','formula',0.137,'{"words": 5.0}',7,'c7c89f4ceb90445af2d66b335566e7c4b06d10169c8bd04a1b5b208a760bfc5b');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,'07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','prior',1.96911675204194058785e-01,'{"rung": "logprobs"}',8,'e7276b1965b556cfd91350faf760650a0134b73153b8ba0068c589741fbe02e5');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,'253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e','formula',-1.901,'{"words": 4.0}',9,'46b4f04f8ea1091754535ebfc2f9c32c047b2634ec00b0a5fd420e89b88cfe3b');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,'253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e','prior',1.16484157773496965759e-01,'{"rung": "logprobs"}',10,'99f7362587bd7b78a8bdff3c8f082e405a521edd35171fe2993e237fedf635c1');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,'57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',5,'e46698c4cd8f521edefee8f0f5fe1f6c7fdfc4b1aa6167e2ad93de4b94b8fdee');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,'4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de','formula',6.85999999999999943156e-01,'{"words": 2.0}',6,'38e23e0c564890971dc47614a7b279fbfccf94966c933682780f7a7ed8f5db1e');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,'4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de','prior',1.73773943450445084168e-01,'{"rung": "logprobs"}',7,'4ec97146825f859cec4e619d0c9fa2f5f321e960bf7b5a5588d9d993afa7e950');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,'57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',6,'7bf7e9f88ef1fb6d5fd34177586cd5b0263797a5c2e2f0283216662d0422fc58');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,'53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c','formula',-1.977,'{"words": 4.0}',7,'6a7adf7fab9abe450a1bacccbbd1f5d351647a662e995258200c4fe84b2aeca8');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,'53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c','prior',2.07007552681152590112e-01,'{"rung": "logprobs"}',8,'4d60efb2bcccf7f33cd6d4ec24d706d2c07365e8d253f9ffce4ea44041aa6258');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,'d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','formula',-0.827,'{"words": 4.0}',9,'29c0f23ab8fb5e13f6904b7a42b1b78a0f79ed09f4ef32bcb40d60a5e40534c0');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,'d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','prior',2.46596963941606434067e-01,'{"rung": "logprobs"}',10,'546b52d73dc90bd1c2ab4f69e35642cd12d97b3a00b229daf35749a80ce5b6dd');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,'07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',17,'d465e687f1c29ef56f01fdcdec0c1fdc45585bb64cc5788e6f86dd40bbfcc783');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,'6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3','formula',1.056,'{"words": 9.0}',18,'45a94fdc295e4e39c1261cf656817cff5723d9250acdb417ea1d1402181bf5f6');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,'6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3','prior',3.41297755300993599369e-01,'{"rung": "logprobs"}',19,'54a5aa04baf2de859a207e7d37158381acfdbb4e0c7322412729223f6f41b2a3');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,'71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884','formula',3.538,'{"words": 8.0}',20,'78ee27c0bae0dec95be9dd4de3893affa26e2ece7f15edb8ebca7667b8e341af');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,'71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884','prior',1.82683524052734608256e-01,'{"rung": "logprobs"}',21,'6f7182f2b5c38f669bd1a5d6c0e77659479c31d6d9d6eace65db271b42300628');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,'4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',28,'c9b55ab202338d7c7a5bd07b130124b4519cc068e8d255c8685d1bacd3dff2cd');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,'9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090','formula',4.18,'{"words": 4.0}',29,'b8589240f4178b8462be36dce64d2d3968f4d05dcb9c49ff775aaf2a358647b4');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,'9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090','prior',2.86504796860190091845e-01,'{"rung": "logprobs"}',30,'c20583f3af2fb6bb0c24a8ee0f0a8acd860729e4443fdeac99e9cc7a53e7df70');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,'904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd','formula',-0.88,'{"words": 4.0}',31,'7d6345f7b22ffd2302e2697502bf766e8596ca1148e54a6d3552bc3ac8d3ebc0');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,'904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd','prior',2.59240260645891507085e-01,'{"rung": "logprobs"}',32,'57f2f9ac0ebb10ab9ef484b93c4d395bd3f62d0de98a26fafe70aebf3ec750f6');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,'d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',17,'8bf3e3d585f5d42bcca7929879ebf93680e340dba888d5b047df5a3ea0155c9c');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,'a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9','formula',1.238,'{"words": 8.0}',18,'6f797e420bb8d0f8812bd89f559f5391fe9aebfd13f989966b20a2514e58b672');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,'a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9','prior',2.46596963941606434067e-01,'{"rung": "logprobs"}',19,'1afc6ef1ad7627701950eeb914c2d7a7f93ac927737ba48e2d5f463885b1257a');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,'00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f','formula',0.161,'{"words": 8.0}',20,'3a437975395e5a92e4f5fb8f8d035fb61a3768bcc50c276496acc06f467a269f');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,'00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f','prior',2.72531793034012592702e-01,'{"rung": "logprobs"}',21,'59b3107acc8e6a3d97057d43a4735f7f1783da709d2bb4f782e7edb0bf98e3da');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,'57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',28,'258f1d91eab1d93c7bb8faec8729c2141a55036086bfaaec5cb4ee673cb6c3d9');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,'9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035','formula',-4.15000000000000035527e-01,'{"words": 1.0}',29,'3a0d00274476903fb896f73fd9dcc8ae2af7f12e737dbde2278c67f58c9550ce');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,'9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035','prior',4.49328964117221563157e-01,'{"rung": "logprobs"}',30,'15b5c82768caed32fae076613c733f74cef85f24501949c7cc34c4f448f6faaf');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,'ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27','formula',0.052,'{"words": 4.0}',31,'7dc7c8d28db5c05d111f37d715988770f85e7e63f9818b97aa4a440a9d3dec21');
INSERT INTO "scores" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,'ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27','prior',2.65802959088926538111e-01,'{"rung": "logprobs"}',32,'7748944be5653d29a1f4ff06362d1f1fdd115b00d9d15e556ae52aa6c25be817');
CREATE TABLE searches (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	position INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	prompt TEXT NOT NULL, 
	prompt_sha256 VARCHAR(64) NOT NULL, 
	occurrence INTEGER NOT NULL, 
	method VARCHAR(64) NOT NULL, 
	method_version INTEGER NOT NULL, 
	method_config JSON NOT NULL, 
	config_sha256 VARCHAR(64) NOT NULL, 
	seed BIGINT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	answer JSON, 
	owner VARCHAR(200), 
	expires BIGINT, 
	fence INTEGER NOT NULL, 
	links INTEGER NOT NULL, 
	head VARCHAR(64) NOT NULL, fork_of VARCHAR(36), fork_at INTEGER, 
	CONSTRAINT pk_searches PRIMARY KEY (id), 
	CONSTRAINT fk_searches_run_id FOREIGN KEY(run_id) REFERENCES runs (id), 
	CONSTRAINT uq_searches_run_id_key UNIQUE (run_id, "key")
);
INSERT INTO "searches" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447','01a1ff87-99d9-77e9-ad02-455ea97c9e1e',0,'bff24e29672030629edc305aa092a43894c272c67f4d5f65aa1eed5cdf90327a','The tide','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'base',2,'{"label": null, "limits": {"iterations": null, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "base"}','156a48fa0ccfc040f80fe1d93eb727c72ca02152f76b3822f06b0c0df0a9a726',0,'done','{"node": "20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7", "text": " not is bad sea not is, so and not the good sea", "value": 0.189, "complete": true, "why": "all answers sampled"}',NULL,NULL,1,8,'f977e024564d535d22e93fa1bd20b25f6fbff83c75e70eee9a4e376b230e62e6',NULL,NULL);
INSERT INTO "searches" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d','01a1ff87-99d9-77e9-ad02-455ea97c9e1e',1,'40229fc21e13ada1af5e25b1c6af13e5e0089350713fb9d59192d753be93de1c','The tide','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'aligntree',2,'{"label": null, "limits": {"iterations": 3, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "aligntree", "preset": "default", "children": 2, "chunk": "tokens", "chunk_tokens": 4, "rule": "ea_puct", "exploration": 1.5, "entropy_weight": 0.2, "entropy": "estimate", "backup": "max", "complete_children": "value", "top_up": false, "widening": {"k0": 4.0, "alpha": 0.4}, "min_max": false, "depth_fair": false, "rerank_parents": null, "in_flight": 1}','8e5fb7b6a35679eef3f7b3a3307c3ca463212a649345dfb0c92113659726c103',0,'done','{"node": "71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884", "text": ", so not kind bad, so good good", "value": 3.538, "complete": true, "why": "limits.iterations = 3"}',NULL,NULL,1,33,'129674bb4e5f4cbe3b13c43a5b6d0fd44fa56126913c3282fd960aa8626c6059',NULL,NULL);
INSERT INTO "searches" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb','01a1ff87-99d9-77e9-ad02-455ea97c9e1e',2,'895e488540c3ef0cfe4642c81c616d85c62ed07ed08bb19fed63cd787b0280de','A letter 0000 é 🍲','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'base',2,'{"label": null, "limits": {"iterations": null, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "base"}','156a48fa0ccfc040f80fe1d93eb727c72ca02152f76b3822f06b0c0df0a9a726',0,'done','{"node": "4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de", "text": " the not", "value": 0.6859999999999999, "complete": true, "why": "all answers sampled"}',NULL,NULL,1,8,'1ee676c81e1ac135f813ffdaeec8a19a45ebc854f5719d39f276981916df77c3',NULL,NULL);
INSERT INTO "searches" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b','01a1ff87-99d9-77e9-ad02-455ea97c9e1e',3,'800492de4433c57cf4ffd43658762d19dacb2dfe72bf32c5956cf79ad8b9dd00','A letter 0000 é 🍲','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'aligntree',2,'{"label": null, "limits": {"iterations": 3, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "aligntree", "preset": "default", "children": 2, "chunk": "tokens", "chunk_tokens": 4, "rule": "ea_puct", "exploration": 1.5, "entropy_weight": 0.2, "entropy": "estimate", "backup": "max", "complete_children": "value", "top_up": false, "widening": {"k0": 4.0, "alpha": 0.4}, "min_max": false, "depth_fair": false, "rerank_parents": null, "in_flight": 1}','8e5fb7b6a35679eef3f7b3a3307c3ca463212a649345dfb0c92113659726c103',0,'done','{"node": "9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035", "text": " cold", "value": -0.41500000000000004, "complete": true, "why": "limits.iterations = 3"}',NULL,NULL,1,33,'950253c39d8862d4835a48c861f27e79e621039ca38e41a909ba758f2685df9d',NULL,NULL);
CREATE TABLE tells (
	search_id VARCHAR(36) NOT NULL, 
	position INTEGER NOT NULL, 
	ask INTEGER, 
	kind VARCHAR(16) NOT NULL, 
	outcome JSON NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_tells PRIMARY KEY (search_id, position), 
	CONSTRAINT fk_tells_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_tells_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abbffafdc447',0,0,'grown','{"scorer": "formula", "children": [["20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7", 1]], "tokens": 12, "calls": 1, "seconds": 0.054}',8,'f977e024564d535d22e93fa1bd20b25f6fbff83c75e70eee9a4e376b230e62e6');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',0,0,'grown','{"scorer": "formula", "children": [["07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af", 1], ["253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e", 1]], "tokens": 8, "calls": 1, "seconds": 0.057}',11,'029199906f9153ea038331581e37005c9a710a62edbb66383a13c9d46ce9fbec');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc1b69e3fcb',0,0,'grown','{"scorer": "formula", "children": [["4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de", 1]], "tokens": 2, "calls": 1, "seconds": 0.056}',8,'1ee676c81e1ac135f813ffdaeec8a19a45ebc854f5719d39f276981916df77c3');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',0,0,'grown','{"scorer": "formula", "children": [["53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c", 1], ["d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e", 1]], "tokens": 8, "calls": 1, "seconds": 0.055}',11,'933e45d5f147cfc9dbd51d7abfb997414edbc8dcb9bf5245df7a2df9408abb64');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',1,1,'grown','{"scorer": "formula", "children": [["6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3", 1], ["71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884", 1]], "tokens": 7, "calls": 1, "seconds": 0.076}',22,'1d4f45ce5ee1955c5084c3bf6783ea037397a4a67c7cac8d6098780686d0b938');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc0dc32759d',2,2,'grown','{"scorer": "formula", "children": [["9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090", 1], ["904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd", 1]], "tokens": 8, "calls": 1, "seconds": 0.086}',33,'129674bb4e5f4cbe3b13c43a5b6d0fd44fa56126913c3282fd960aa8626c6059');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',1,1,'grown','{"scorer": "formula", "children": [["a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9", 1], ["00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f", 1]], "tokens": 8, "calls": 1, "seconds": 0.136}',22,'8e91f891a4ad59252e5a5403749ebe2b8a3bf1f79d721b87f8e18b6d77f5d818');
INSERT INTO "tells" VALUES('01a1ff87-99dc-7104-b8ba-abc2abb1170b',2,2,'grown','{"scorer": "formula", "children": [["9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035", 1], ["ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27", 1]], "tokens": 5, "calls": 1, "seconds": 0.2}',33,'950253c39d8862d4835a48c861f27e79e621039ca38e41a909ba758f2685df9d');
CREATE INDEX ix_searches_key ON searches ("key");
CREATE VIEW answers AS
        SELECT run_id, id AS search_id, position, prompt, method, seed, status, json_extract(answer, '$.text') AS text,
               CAST(json_extract(answer, '$.value') AS DOUBLE PRECISION) AS value,
               CAST(json_extract(answer, '$.complete') AS BOOLEAN) AS complete, json_extract(answer, '$.why') AS why
        FROM searches WHERE status IN ('done', 'failed');
COMMIT;
